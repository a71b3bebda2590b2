// What calls are judged by: the operator's snapshot of what concerns this app. Without any, no call is judged.
import { type Fault, fault } from '../../api/fault.ts';
import type { FeedClient } from '../feed/feed.ts';

export interface Grounds {
  /** Why no call can be judged; undefined when it can. */
  problem(): Fault | undefined;
}

/** Without an operator (on a laptop) there is nothing to wait for. */
export function grounds(feed: FeedClient | undefined): Grounds {
  return {
    problem() {
      if (feed === undefined || feed.config.current() !== undefined) return undefined;
      return fault('not-ready', `this sidecar cannot judge calls yet: ${noSnapshot(feed)}; nothing reached the app.`);
    },
  };
}

export function noSnapshot(feed: FeedClient): string {
  const state = feed.state();
  const why = state.kind === 'live' || state.lastError === undefined ? '' : `: ${state.lastError}`;
  return `no snapshot of its policies has come from the operator of Invoke${why}`;
}
