// Which endpoint takes the next attempt: round robin per target, past those that this call has tried, and last of all
// those that have lately turned a call away.
import { targetName } from '../../api/ids.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Endpoint, Upstream } from '../resolve/resolver.ts';

export interface Picker {
  pick(upstream: Upstream, tried: ReadonlySet<string>): Endpoint | undefined;
  /** It could not take a call just now: it comes last for a while. */
  avoid(upstream: Upstream, endpoint: Endpoint): void;
}

export function endpointKey({ host, port }: Endpoint): string {
  return `${host}:${port}`;
}

/** What is kept per target or endpoint is bounded; what is forgotten merely starts over. */
const ENTRIES_MAX = 4096;
/** About as long as it takes until the names no longer lead to a pod that is gone. */
const AVOID_MS = 5000;

export function roundRobin(clock: Clock): Picker {
  const turns = new Map<string, number>();
  /** Until when, on the monotonic clock. */
  const avoided = new Map<string, number>();

  function isAvoided(name: string, endpoint: Endpoint): boolean {
    const key = `${name} ${endpointKey(endpoint)}`;
    const untilMs = avoided.get(key);
    if (untilMs === undefined) return false;
    if (clock.elapsed() < untilMs) return true;
    avoided.delete(key);
    return false;
  }

  return {
    pick(upstream, tried) {
      const untried = upstream.endpoints().filter((endpoint) => !tried.has(endpointKey(endpoint)));
      const name = targetName(upstream.target);
      const willing = avoided.size === 0 ? untried : untried.filter((endpoint) => !isAvoided(name, endpoint));
      const choice = willing.length > 0 ? willing : untried;
      if (choice.length === 0) return undefined;
      const turn = turns.get(name) ?? 0;
      if (turns.size >= ENTRIES_MAX && !turns.has(name)) turns.clear();
      turns.set(name, (turn + 1) % Number.MAX_SAFE_INTEGER);
      return choice[turn % choice.length];
    },
    avoid(upstream, endpoint) {
      if (avoided.size >= ENTRIES_MAX) avoided.clear();
      avoided.set(`${targetName(upstream.target)} ${endpointKey(endpoint)}`, clock.elapsed() + AVOID_MS);
    },
  };
}
