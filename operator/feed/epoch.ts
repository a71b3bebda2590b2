// The era in which versions can be compared. It ends when they begin anew: a cluster restored from a backup, or made again under
// sidecars that live on.
//
// An epoch is the time, in epoch milliseconds, at which it began; before the first, it is 1. That makes a new one newer than any
// that a backup has forgotten, lets every replica see how lately the last one began, and keeps a sidecar from inventing one. It is
// an annotation of the operator's Lease, written by compare-and-swap; without the annotation it is 1, so a cluster that was never
// restored has none.
import type { V1Lease } from '@kubernetes/client-node';
import type { Namespace } from '../../api/ids.ts';
import { GROUP, OPERATOR } from '../../api/pod.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Answered, Kube } from '../../kube/kube.ts';
import { LEASES } from '../../kube/types.ts';

const EPOCH_ANNOTATION = `${GROUP}/feed-epoch`;

export interface EpochOptions {
  readonly kube: Pick<Kube, 'get' | 'create' | 'replace'>;
  readonly namespace: Namespace;
  readonly clock: Clock;
  readonly log: Log;
}

const FIRST_EPOCH = 1;
/** Restoring a cluster takes longer than this; a sidecar that tells lies can do no more than one epoch in the time. */
const GROWS_AFTER_MS = 10 * 60_000;
const CONFLICTS_MAX = 10;

export class Epoch {
  readonly #options: EpochOptions;
  #current = FIRST_EPOCH;

  constructor(options: EpochOptions) {
    this.#options = options;
  }

  /** The newest that this replica has heard of. It never goes back. */
  current(): number {
    return this.#current;
  }

  /** Takes a newer one that another replica began. */
  async reread(): Promise<Result<number>> {
    const lease = await this.#readLease();
    return lease.ok ? ok(this.#adopt(epochOf(lease.value))) : err(lease.error.message);
  }

  /** Begins a new epoch, unless another replica has. `known` is the newest that a sidecar has heard of. */
  async grow(known: number, why: string): Promise<Result<number>> {
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      const lease = await this.#readLease();
      if (!lease.ok) return err(lease.error.message);
      if (this.#adopt(epochOf(lease.value)) > known) return ok(this.#current);
      const next = this.#next(known);
      if (!next.ok) return next;
      const written = await this.#write(lease.value, next.value);
      if (written.ok) {
        this.#options.log.warn(`versions began anew, so the feed begins a new epoch: ${why}`, { epoch: next.value });
        return ok(this.#adopt(next.value));
      }
      if (written.error.kind !== 'conflict' && written.error.kind !== 'already-exists')
        return err(written.error.message);
    }
    return err(`the Lease ${OPERATOR} changed each time a new epoch was written to it`);
  }

  #next(known: number): Result<number> {
    const now = this.#options.clock.now();
    if (now - this.#current < GROWS_AFTER_MS)
      return err('an epoch began less than ten minutes ago; the next has to wait');
    if (known >= now) return err(`the epoch ${known} lies in the future; one of the clocks is wrong`);
    return ok(now);
  }

  async #readLease(): Answered<V1Lease | undefined> {
    const lease = await this.#options.kube.get(LEASES, OPERATOR, this.#options.namespace);
    return !lease.ok && lease.error.kind === 'not-found' ? ok(undefined) : lease;
  }

  #write(lease: V1Lease | undefined, epoch: number): Answered<V1Lease> {
    const { kube, namespace } = this.#options;
    const annotations = { ...lease?.metadata?.annotations, [EPOCH_ANNOTATION]: `${epoch}` };
    if (lease === undefined) return kube.create(LEASES, { metadata: { name: OPERATOR, namespace, annotations } });
    return kube.replace(LEASES, { ...lease, metadata: { ...lease.metadata, annotations } });
  }

  #adopt(epoch: number): number {
    this.#current = Math.max(this.#current, epoch);
    return this.#current;
  }
}

/** Nothing that could be an epoch is none. */
function epochOf(lease: V1Lease | undefined): number {
  const epoch = Number(lease?.metadata?.annotations?.[EPOCH_ANNOTATION]);
  return Number.isSafeInteger(epoch) && epoch > FIRST_EPOCH ? epoch : FIRST_EPOCH;
}
