// Which endpoint takes the next attempt: round robin per target, past those that this call has tried, and last of all
// those that have lately turned a call away.
import { calleeName } from '../../api/external.ts';
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

/** Turns are counted in small integers, which cost no allocation; where they begin again matters to nobody. */
const TURNS_MASK = 0x3fff_ffff;

export function roundRobin(clock: Clock): Picker {
  const turns = new Map<string, { next: number }>();
  /** Until when, on the monotonic clock. */
  const avoided = new Map<string, number>();
  /** From then on nobody is avoided. */
  let forgivenMs = 0;

  function isAvoided(upstream: Upstream, endpoint: Endpoint, nowMs: number): boolean {
    const untilMs = avoided.get(avoidedKey(upstream, endpoint));
    return untilMs !== undefined && nowMs < untilMs;
  }

  /** Those that were not tried yet; of them those that nobody avoids, if there are such. */
  function choiceOf(upstream: Upstream, tried: ReadonlySet<string>): readonly Endpoint[] {
    const endpoints = upstream.endpoints();
    if (avoided.size > 0 && clock.elapsed() >= forgivenMs) avoided.clear();
    // Nearly always everybody may be chosen, and then nobody is looked at.
    if (tried.size === 0 && avoided.size === 0) return endpoints;
    const untried = endpoints.filter((endpoint) => !tried.has(endpointKey(endpoint)));
    const nowMs = clock.elapsed();
    const willing = untried.filter((endpoint) => !isAvoided(upstream, endpoint, nowMs));
    return willing.length > 0 ? willing : untried;
  }

  function turnOf(name: string): number {
    const turn = turns.get(name);
    if (turn === undefined) {
      if (turns.size >= ENTRIES_MAX) turns.clear();
      turns.set(name, { next: 1 });
      return 0;
    }
    const { next } = turn;
    turn.next = (next + 1) & TURNS_MASK;
    return next;
  }

  return {
    pick(upstream, tried) {
      const choice = choiceOf(upstream, tried);
      if (choice.length < 2) return choice[0];
      return choice[turnOf(calleeName(upstream.target)) % choice.length];
    },
    avoid(upstream, endpoint) {
      if (avoided.size >= ENTRIES_MAX) avoided.clear();
      forgivenMs = clock.elapsed() + AVOID_MS;
      avoided.set(avoidedKey(upstream, endpoint), forgivenMs);
    },
  };
}

function avoidedKey({ target }: Upstream, endpoint: Endpoint): string {
  return `${calleeName(target)} ${endpointKey(endpoint)}`;
}
