// Before a replica answers a sidecar it has to know at least what the sidecar was told already, by this replica or another.
//
//   C1. Nothing is told before every store was listed once: an empty store would say that there are no policies.
//   C2. A store that is behind is listed anew, by a quorum read that began after the sidecar asked.
//   C3. If the sidecar is still ahead then, versions began anew, and a new epoch has it take what is told now.
//   C4. A sidecar that invents versions costs at most a list per second and an epoch per ten minutes.
import type { FeedHello } from '../../api/proto/feed.ts';
import { type Clock, sleep, within } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Store } from '../../kube/store.ts';
import type { Epoch } from './epoch.ts';

export interface CatchUpOptions {
  /** By kind. */
  readonly stores: ReadonlyMap<string, Store<unknown>>;
  /** Settles once all stores were listed. */
  readonly synced: Promise<unknown>;
  readonly epoch: Epoch;
  readonly clock: Clock;
}

/** Settles when the hello can be answered, or with the reason why another replica should. Never rejects. */
export type CatchUp = (hello: FeedHello) => Promise<Result<void>>;

/** Longer than a list takes, and short enough for a sidecar to try another replica. */
const TIMEOUT_MS = 10_000;
const RELIST_EVERY_MS = 1000;

export function catchUpWith({ stores, synced, epoch, clock }: CatchUpOptions): CatchUp {
  const relists = new Map([...stores].map(([kind, store]) => [kind, sharedRelist(store, clock)]));

  function kindsBehind({ versions }: FeedHello): string[] {
    return versions.filter(({ kind, version }) => (stores.get(kind)?.version() ?? version) < version).map(kindOf);
  }

  async function beginAnew(hello: FeedHello, why: string): Promise<Result<void>> {
    const grown = await epoch.grow(hello.epoch, why);
    return grown.ok ? ok(undefined) : err(`${why}, and no new epoch could begin: ${grown.error}`);
  }

  async function catchUp(hello: FeedHello): Promise<Result<void>> {
    await synced;
    if (hello.epoch > epoch.current()) {
      const reread = await epoch.reread();
      if (!reread.ok) return err(`whether there is a newer epoch could not be read: ${reread.error}`);
      if (hello.epoch > reread.value) return beginAnew(hello, `a sidecar was told of the epoch ${hello.epoch}`);
    }
    // Then versions of before mean nothing.
    if (hello.epoch < epoch.current()) return ok(undefined);
    await Promise.all(kindsBehind(hello).map((kind) => relists.get(kind)?.()));
    const behind = kindsBehind(hello);
    if (behind.length === 0) return ok(undefined);
    return beginAnew(hello, `a sidecar was told of newer versions of ${behind.join(', ')} than the API server has`);
  }

  return (hello) =>
    within(
      clock,
      TIMEOUT_MS,
      catchUp(hello).catch((error) => err(`the stores could not be listed anew: ${messageOf(error)}`)),
      err('this replica did not catch up with the API server in time; another may have'),
    );
}

function kindOf({ kind }: { readonly kind: string }): string {
  return kind;
}

/** Whoever asks shares a list that has not begun yet. One at a time, and a second from one beginning to the next. */
function sharedRelist(store: Store<unknown>, clock: Clock): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  let beganMs = Number.NEGATIVE_INFINITY;

  async function relist(): Promise<void> {
    await running.catch(() => undefined);
    const tooSoonMs = beganMs + RELIST_EVERY_MS - clock.elapsed();
    if (tooSoonMs > 0) await sleep(clock, tooSoonMs);
    next = undefined;
    beganMs = clock.elapsed();
    running = store.relist();
    await running;
  }
  return () => {
    next ??= relist();
    return next;
  };
}
