// For tests: the operator's feed, whose every word is the test's own.
import { type Target, targetName } from '../../api/ids.ts';
import { snapshot, type WritableSnapshot } from '../../kit/snapshot.ts';
import type { AppEndpoints, FeedClient, FeedConfig, FeedState, KnownEndpoint } from '../feed/feed.ts';

export interface TestFeed extends FeedClient {
  /** There is none before the test sets one. */
  readonly config: WritableSnapshot<FeedConfig | undefined>;
  readonly watched: ReadonlySet<string>;
  /** By what the calls would have been denied that it was told of. */
  readonly auditedBy: readonly string[];
  /** What is known of an app from now on; undefined: nothing any more. */
  say(target: Target, endpoints: AppEndpoints | undefined): void;
  /** Nothing is known any more, of any app. */
  fallSilent(why: string): void;
}

export function testFeed(): TestFeed {
  const told = new Map<string, { readonly target: Target; readonly endpoints: AppEndpoints }>();
  const watched = new Set<string>();
  const auditedBy: string[] = [];
  const listeners = new Set<(target: Target) => void>();
  let state: FeedState = { kind: 'live' };
  const feed: TestFeed = {
    ...{ watched, auditedBy },
    config: snapshot<FeedConfig | undefined>(undefined),
    endpoints: (target) => told.get(targetName(target))?.endpoints,
    watch(target) {
      watched.add(targetName(target));
      return true;
    },
    changed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    audited: (by) => void auditedBy.push(by.name),
    state: () => state,
    stop: () => undefined,
    say(target, endpoints) {
      if (endpoints === undefined) told.delete(targetName(target));
      else told.set(targetName(target), { target, endpoints });
      for (const listener of listeners) listener(target);
    },
    fallSilent(why) {
      state = { kind: 'stale', lastError: why, sinceMs: 0 };
      for (const { target } of [...told.values()]) feed.say(target, undefined);
    },
  };
  return feed;
}

/** A pod of an app at a port of this machine; ready unless it is said otherwise. */
export function pod(port: number, is: Partial<KnownEndpoint> = {}): KnownEndpoint {
  const { serving = true, terminating = false } = is;
  const ready = serving && !terminating;
  const labels: ReadonlyMap<string, string> = new Map();
  return { host: '127.0.0.1', port, ready, serving, terminating, zone: '', pod: `pod-${port}`, labels, ...is };
}

export function claimed(...endpoints: readonly KnownEndpoint[]): AppEndpoints {
  return { isClaimed: true, endpoints };
}

export const UNCLAIMED: AppEndpoints = { isClaimed: false, endpoints: [] };

export const EMPTY_CONFIG: FeedConfig = {
  epoch: 1,
  versions: new Map(),
  trustAnchors: [],
  resources: [],
  barredNamespaces: [],
  defaultAccess: 'allow',
};
