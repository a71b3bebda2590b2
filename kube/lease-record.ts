// The Lease object that candidates compete for: read, claimed and given back by compare-and-swap.
//
// Nobody trusts another machine's clock: the lease has run out when its record did not change for its whole duration, as
// measured here. Every write names the version it was made from, so of two who write one is refused.
import { V1MicroTime } from '@kubernetes/client-node';
import type { Clock } from '../kit/clock.ts';
import { err, ok } from '../kit/result.ts';
import type { Answered, Kube } from './kube.ts';
import { LEASES } from './types.ts';

export interface LeaseOptions {
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process: a pod's name and something random. Who finds it on the lease takes it for its own. */
  readonly identity: string;
  /** How long others wait after the last renewal that they saw. */
  readonly leaseDurationSec: number;
}

type Lease = NonNullable<(typeof LEASES)['object']>;
type Spec = NonNullable<Lease['spec']>;

/** The record as it was seen last, and since when it has been so. */
interface Observed {
  readonly lease: Lease;
  readonly sinceMs: number;
}

export class LeaseRecord {
  readonly #kube: Pick<Kube, 'get' | 'create' | 'replace'>;
  readonly #options: LeaseOptions;
  readonly #clock: Clock;
  #observed: Observed | undefined;

  constructor(kube: Pick<Kube, 'get' | 'create' | 'replace'>, options: LeaseOptions, clock: Clock) {
    this.#kube = kube;
    this.#options = options;
    this.#clock = clock;
  }

  /** Empty: nobody, as far as we know. */
  holder(): string {
    return this.#observed?.lease.spec?.holderIdentity ?? '';
  }

  /** Writes a renewal onto the version we know, without a look at the newest. */
  async renew(): Answered<boolean> {
    const known = this.#observed?.lease;
    return known === undefined ? ok(false) : this.#write(known);
  }

  /**
   * `true`: it is ours. `false`: another holds it. `isWanted` is asked before the write: the answer to a read may come
   * when nobody waits for it any more.
   */
  async claim(isWanted: () => boolean): Answered<boolean> {
    const { name, namespace } = this.#options;
    const found = await this.#kube.get(LEASES, name, namespace);
    if (!found.ok && found.error.kind !== 'not-found') return found;
    if (found.ok) this.#observe(found.value);
    if (!isWanted()) return ok(false);
    if (!found.ok) return this.#create();
    return this.#isFree(found.value) ? this.#write(found.value) : ok(false);
  }

  /** Only where it is ours by now. */
  async release(): Answered<void> {
    const { identity, name, namespace } = this.#options;
    const found = await this.#kube.get(LEASES, name, namespace);
    if (!found.ok) return found;
    if (found.value.spec?.holderIdentity !== identity) return ok(undefined);
    const spec: Spec = { ...found.value.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: this.#now() };
    const released = await this.#kube.replace(LEASES, { ...found.value, spec });
    return released.ok ? ok(undefined) : released;
  }

  async #create(): Answered<boolean> {
    const { name, namespace } = this.#options;
    return this.#written(await this.#kube.create(LEASES, { metadata: { name, namespace }, spec: this.#ours({}) }));
  }

  async #write(lease: Lease): Answered<boolean> {
    return this.#written(await this.#kube.replace(LEASES, { ...lease, spec: this.#ours(lease.spec ?? {}) }));
  }

  #written(lease: Awaited<Answered<Lease>>): Awaited<Answered<boolean>> {
    if (!lease.ok) return err(lease.error);
    this.#observe(lease.value);
    return ok(true);
  }

  #ours(before: Spec): Spec {
    const { identity, leaseDurationSec } = this.#options;
    const now = this.#now();
    const isRenewal = before.holderIdentity === identity;
    return {
      ...before,
      holderIdentity: identity,
      leaseDurationSeconds: leaseDurationSec,
      acquireTime: (isRenewal ? before.acquireTime : undefined) ?? now,
      renewTime: now,
      leaseTransitions: isRenewal ? (before.leaseTransitions ?? 0) : (before.leaseTransitions ?? -1) + 1,
    };
  }

  #observe(lease: Lease): void {
    const isSame = JSON.stringify(lease.spec) === JSON.stringify(this.#observed?.lease.spec);
    const sinceMs = isSame ? this.#observed?.sinceMs : undefined;
    this.#observed = { lease, sinceMs: sinceMs ?? this.#clock.elapsed() };
  }

  #isFree({ spec }: Lease): boolean {
    const holder = spec?.holderIdentity ?? '';
    if (holder === '' || holder === this.#options.identity) return true;
    const durationSec = spec?.leaseDurationSeconds ?? this.#options.leaseDurationSec;
    return this.#clock.elapsed() - (this.#observed?.sinceMs ?? 0) >= durationSec * 1000;
  }

  /** For people, who read it in the object; no decision rests on it. */
  #now(): V1MicroTime {
    return new V1MicroTime(this.#clock.now());
  }
}
