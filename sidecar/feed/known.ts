// The apps whose endpoints we ask for, and what we were told of each.
import { type Target, targetName } from '../../api/ids.ts';
import { FEED_INTEREST_MAX, type FeedApp, type FeedEndpoints } from '../../api/proto/feed.ts';
import type { AppEndpoints } from './feed.ts';

interface Watched {
  readonly target: Target;
  /** Monotonic. */
  usedMs: number;
  endpoints: AppEndpoints | undefined;
}

export class KnownEndpoints {
  readonly #watched = new Map<string, Watched>();

  /** `new`: the operator has to hear of it. */
  watch(target: Target, nowMs: number): 'new' | 'watched' | 'full' {
    const name = targetName(target);
    const watched = this.#watched.get(name);
    if (watched !== undefined) {
      watched.usedMs = nowMs;
      return 'watched';
    }
    if (this.#watched.size === FEED_INTEREST_MAX) return 'full';
    this.#watched.set(name, { target, usedMs: nowMs, endpoints: undefined });
    return 'new';
  }

  get(target: Target): AppEndpoints | undefined {
    return this.#watched.get(targetName(target))?.endpoints;
  }

  /** The app, unless we do not ask for it any more. */
  take({ app, isClaimed, endpoints }: FeedEndpoints): Target | undefined {
    const watched = this.#watched.get(`${app.appId}.${app.namespace}`);
    if (watched === undefined) return undefined;
    const known = endpoints.map(({ address, ...endpoint }) => ({ host: address, ...endpoint }));
    watched.endpoints = { isClaimed, endpoints: known };
    return watched.target;
  }

  apps(): readonly FeedApp[] {
    return [...this.#watched.values()].map(({ target }) => ({ appId: target.app, namespace: target.namespace }));
  }

  /** Asks no more for what nobody used since then. */
  dropUnusedSince(ms: number): readonly Target[] {
    const unused = [...this.#watched.values()].filter(({ usedMs }) => usedMs < ms);
    for (const { target } of unused) this.#watched.delete(targetName(target));
    return unused.map(({ target }) => target);
  }

  /** What was told may hold no longer. Gives those of which something was known. */
  forget(): readonly Target[] {
    const known = [...this.#watched.values()].filter(({ endpoints }) => endpoints !== undefined);
    for (const watched of known) watched.endpoints = undefined;
    return known.map(({ target }) => target);
  }
}
