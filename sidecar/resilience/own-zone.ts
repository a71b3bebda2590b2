// The zone that this pod is in. Nothing in a pod says so: it is a label of its node, which no pod is told. The operator knows it of every
// pod, this one included, so the pod looks for itself among the instances of its own app. Zones of pods do not change: once it is
// known, nothing is asked any more.
import type { Target } from '../../api/ids.ts';
import { isSameTarget } from '../../api/ids.ts';
import type { FeedClient } from '../feed/feed.ts';

export interface OwnPod {
  readonly app: Target;
  readonly addresses: readonly string[];
}

/** Calls `found` once, if ever. Where nodes have no zones it never is. */
export function findOwnZone(
  feed: Pick<FeedClient, 'watch' | 'endpoints' | 'changed' | 'config'>,
  { app, addresses }: OwnPod,
  found: (zone: string) => void,
): void {
  let isKnown = false;
  const look = () => {
    const own = feed.endpoints(app)?.endpoints.find(({ host }) => addresses.includes(host));
    if (isKnown || own === undefined) return;
    isKnown = true;
    stop();
    if (own.zone !== '') found(own.zone);
  };
  const stop = feed.changed((target) => {
    if (isSameTarget(target, app)) look();
  });
  // Until it has asked, nobody tells; and what nobody asks for again is forgotten.
  feed.watch(app);
  feed.config.changed(() => {
    if (!isKnown) feed.watch(app);
  });
  look();
}
