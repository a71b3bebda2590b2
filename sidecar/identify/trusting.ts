// By whose word peers are believed: the trust anchors that came with our certificate, and those of the operator's snapshot.
// Either may be the first to know of a new root.
import type { Credentials, TrustAnchors } from '../../identity/svid.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import type { FeedConfig } from '../feed/feed.ts';

/** Our own credentials with all those anchors. Changes when what is trusted changes, and not with each snapshot. */
export function trusting(
  own: Snapshot<Credentials | undefined>,
  config: Snapshot<FeedConfig | undefined> | undefined,
): Snapshot<Credentials | undefined> {
  if (config === undefined) return own;
  const both = () => joined(own.current(), config.current()?.trustAnchors ?? []);
  const credentials = snapshot(both());
  own.changed(() => credentials.set(both()));
  config.changed(() => {
    const next = both();
    if (next?.anchors.join() !== credentials.current()?.anchors.join()) credentials.set(next);
  });
  return credentials;
}

function joined(own: Credentials | undefined, further: TrustAnchors): Credentials | undefined {
  if (own === undefined) return undefined;
  const anchors = [...own.anchors, ...further].map((pem) => pem.trim());
  return { ...own, anchors: [...new Set(anchors)] };
}
