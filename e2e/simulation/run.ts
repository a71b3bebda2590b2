// One scenario under one policy, from a seed, and what it came to.
import type { CallRecord } from './client.ts';
import { POLICIES, type PolicyName, withTryTimeout } from './policies.ts';
import type { Scenario } from './scenarios.ts';
import { World } from './world.ts';

export interface RunOptions {
  readonly seed?: number;
  readonly seconds?: number;
  readonly clients?: number;
  readonly servers?: number;
  /** Of each client. */
  readonly callsPerSecond?: number;
}

export interface Came {
  readonly calls: number;
  readonly successRate: number;
  /** Of the calls that succeeded, and of those that are under way at the end, for as long as they have been. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Tries for each call. */
  readonly amplification: number;
  /** Of the calls that began in the last fifth of the time. */
  readonly successRateAtTheEnd: number;
  /** Of the endpoints that were there then, how many were called in the last fifth. */
  readonly calledAtTheEnd: number;
}

export function run(scenario: Scenario, policy: PolicyName, options: RunOptions = {}): Came {
  const { seed = 1, seconds = 10, clients = 100, servers = 50, callsPerSecond = 20 } = options;
  const plan = withTryTimeout(POLICIES[policy](), scenario.tryTimeoutMs);
  const world = new World({ seed, clients, servers, callsPerSecond, serviceMs: scenario.serviceMs, plan });
  scenario.plan(world, seconds);
  const lateMs = seconds * 800;
  world.clock.runUntil(lateMs);
  const before = new Map(world.servers.map((server) => [server, server.calls]));
  world.clock.runUntil(seconds * 1000);
  const called = world.servers.filter((server) => server.calls > (before.get(server) ?? 0)).length;
  return { ...summed(world.calls, lateMs, seconds * 1000), calledAtTheEnd: called };
}

/** A call that nobody has answered after so long did not succeed; a younger one says nothing. */
const PATIENCE_MS = 1000;

function summed(calls: readonly CallRecord[], lateMs: number, endMs: number): Omit<Came, 'calledAtTheEnd'> {
  const known = calls.filter(({ beganMs, endedMs }) => endedMs !== undefined || beganMs < endMs - PATIENCE_MS);
  const tookMs = known
    .filter(({ isSuccess, endedMs }) => isSuccess || endedMs === undefined)
    .map(({ beganMs, endedMs = endMs }) => endedMs - beganMs)
    .sort((a, b) => a - b);
  const tries = calls.reduce((sum, call) => sum + call.tries, 0);
  return {
    calls: calls.length,
    successRate: rate(known),
    p50Ms: quantile(tookMs, 0.5),
    p99Ms: quantile(tookMs, 0.99),
    amplification: tries / calls.length,
    successRateAtTheEnd: rate(known.filter(({ beganMs }) => beganMs >= lateMs)),
  };
}

function rate(calls: readonly CallRecord[]): number {
  return calls.filter(({ isSuccess }) => isSuccess).length / calls.length;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}
