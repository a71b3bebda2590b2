// What the policies promise together, on a network and a clock that are simulated: the same world each time, so that nothing
// here can pass or fail by chance. `npm run simulate` prints more of it, for longer.
import { describe, expect, test } from 'vitest';
import { run } from './run.ts';
import { SCENARIOS } from './scenarios.ts';
import { SimClock } from './sim-clock.ts';

const SEEDS = [1, 2];
/** As much for each endpoint as in the whole world, and done sooner. */
const SMALL = { clients: 40, servers: 20 };

test('with one slow endpoint, latency decides better than turns', () => {
  const byLatency = run(SCENARIOS.slow, 'built in');
  const byTurns = run(SCENARIOS.slow, 'round robin, else built in');
  expect(byLatency.p99Ms).toBeLessThan(byTurns.p99Ms / 4);
  expect(byLatency.successRate).toBeGreaterThan(byTurns.successRate);
});

describe('retries never add more than a quarter, however eager they are', () => {
  const policies = ['built in', 'built in, and 3 eager retries'] as const;
  const rates = [20, 80];
  const all = Object.values(SCENARIOS).flatMap((scenario) =>
    policies.flatMap((policy) => rates.map((callsPerSecond) => ({ scenario, policy, callsPerSecond }))),
  );
  test.each(all)('$scenario.name, $policy, $callsPerSecond calls a second', ({ scenario, policy, callsPerSecond }) => {
    const came = run(scenario, policy, { ...SMALL, callsPerSecond, clients: 800 / callsPerSecond });
    expect(came.amplification).toBeLessThanOrEqual(1.25);
    expect(came.calls).toBeGreaterThan(6000);
  });

  test('which is no matter of course', () => {
    expect(run(SCENARIOS.outage, 'round robin, 3 eager retries, no budget', SMALL).amplification).toBeGreaterThan(1.5);
    expect(run(SCENARIOS.storm, 'round robin, 3 eager retries, no budget', SMALL).amplification).toBeGreaterThan(2);
  });
});

describe('what was down is back by itself', () => {
  test.each(SEEDS)('after an outage every call succeeds, and every endpoint has its share (seed %i)', (seed) => {
    const came = run(SCENARIOS.outage, 'built in', { ...SMALL, seed });
    expect(came.successRate).toBeLessThan(0.9);
    expect(came.successRateAtTheEnd).toBe(1);
    expect(came.calledAtTheEnd).toBe(SMALL.servers);
  });

  test.each(SEEDS)('a storm of retries ends with what began it; without a budget it goes on (seed %i)', (seed) => {
    const bound = run(SCENARIOS.storm, 'built in, and 3 eager retries', { ...SMALL, seed, seconds: 20 });
    const unbound = run(SCENARIOS.storm, 'round robin, 3 eager retries, no budget', { ...SMALL, seed, seconds: 20 });
    expect(bound.successRateAtTheEnd).toBeGreaterThan(0.99);
    expect(unbound.successRateAtTheEnd).toBeLessThan(0.1);
  });
});

test.each(SEEDS)('a fifth of dead endpoints, or a deploy, costs hardly a call (seed %i)', (seed) => {
  for (const scenario of [SCENARIOS.dead, SCENARIOS.rolling]) {
    expect(run(scenario, 'built in', { ...SMALL, seed }).successRate).toBeGreaterThan(0.9995);
    expect(run(scenario, 'round robin, nothing else', { ...SMALL, seed }).successRate).toBeLessThan(0.99);
  }
});

test('the same seed is the same world, and another is another', () => {
  const of = (seed: number) => run(SCENARIOS.rolling, 'built in', { ...SMALL, seed, seconds: 3 });
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(2));
});

test('the clock runs what is due in order, at its own moment, and nothing that was taken back', () => {
  const clock = new SimClock();
  const seen: string[] = [];
  const note = (what: string) => () => seen.push(`${what} ${clock.elapsed()}`);
  clock.after(30, note('c'));
  clock.after(10, note('a'));
  clock.after(10, () => clock.after(5, note('b')));
  clock.after(20, note('never'))();
  clock.after(31, note('later'));
  clock.runUntil(30);
  expect(seen).toEqual(['a 10', 'b 15', 'c 30']);
  expect(clock.elapsed()).toBe(30);
});
