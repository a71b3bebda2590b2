// Which endpoint takes the next attempt: round robin per target, past those that this call has tried.
import { targetName } from '../../api/ids.ts';
import type { Endpoint, Upstream } from '../resolve/resolver.ts';

export type Pick = (upstream: Upstream, tried: ReadonlySet<string>) => Endpoint | undefined;

export function endpointKey({ host, port }: Endpoint): string {
  return `${host}:${port}`;
}

/** Turns are kept per target; the number of targets kept is bounded, and a forgotten one merely starts over. */
const TARGETS_MAX = 4096;

export function roundRobin(): Pick {
  const turns = new Map<string, number>();
  return (upstream, tried) => {
    const untried = upstream.endpoints().filter((endpoint) => !tried.has(endpointKey(endpoint)));
    if (untried.length === 0) return undefined;
    const name = targetName(upstream.target);
    const turn = turns.get(name) ?? 0;
    if (turns.size >= TARGETS_MAX && !turns.has(name)) turns.clear();
    turns.set(name, (turn + 1) % Number.MAX_SAFE_INTEGER);
    return untried[turn % untried.length];
  };
}
