// Retries never add more than their share, whatever comes when.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../kit/testing/runs.ts';
import { Budget } from './budget.ts';

const PLAN = { percent: 20, minPerSecond: 1 };

function granted(budget: Budget, nowMs: number, wanted: number): number {
  let count = 0;
  for (let number = 0; number < wanted; number++) if (budget.tryRetry(nowMs)) count++;
  return count;
}

test('a fifth of the calls', () => {
  const budget = new Budget({ percent: 20, minPerSecond: 0 }, 0);
  for (let call = 0; call < 100; call++) budget.call(0);
  expect(granted(budget, 0, 100)).toBe(20);
});

test('one a second where there are few calls, and those of ten seconds at once', () => {
  const budget = new Budget(PLAN, 0);
  expect(granted(budget, 0, 50)).toBe(10);
  expect(granted(budget, 9999, 1)).toBe(0);
  for (let second = 10; second < 40; second++) {
    budget.call(second * 1000);
    expect(granted(budget, second * 1000, 1)).toBe(1);
  }
});

test('what was not used is gone after ten seconds', () => {
  const budget = new Budget({ percent: 20, minPerSecond: 0 }, 0);
  for (let call = 0; call < 100; call++) budget.call(0);
  expect(granted(budget, 9999, 1)).toBe(1);
  expect(granted(budget, 10_000, 100)).toBe(0);
});

test('nothing at all, where both are none', () => {
  const budget = new Budget({ percent: 0, minPerSecond: 0 }, 0);
  budget.call(0);
  expect(granted(budget, 0, 1)).toBe(0);
});

test('a sidecar that was idle for long has no more to spend than ten seconds give', () => {
  const budget = new Budget(PLAN, 0);
  expect(granted(budget, 86_400_000, 100)).toBe(10);
});

const step = fc.record({ afterMs: fc.nat(2500), calls: fc.nat(40), retries: fc.nat(40) });
const plan = fc.record({ percent: fc.nat(100), minPerSecond: fc.nat(3) });

test('since the beginning there were never more retries than all seconds paid for, and the quiet ones before', () => {
  fc.assert(
    fc.property(plan, fc.array(step, { maxLength: 60 }), ({ percent, minPerSecond }, steps) => {
      const budget = new Budget({ percent, minPerSecond }, 0);
      const calls: number[] = [];
      let [nowMs, retries] = [0, 0];
      for (const { afterMs, calls: count, retries: wanted } of steps) {
        nowMs += afterMs;
        const second = Math.floor(nowMs / 1000);
        calls[second] = (calls[second] ?? 0) + count;
        for (let call = 0; call < count; call++) budget.call(nowMs);
        retries += granted(budget, nowMs, wanted);
        let paid = 9 * minPerSecond;
        for (let at = 0; at <= second; at++) paid += Math.max(((calls[at] ?? 0) * percent) / 100, minPerSecond);
        expect(retries).toBeLessThanOrEqual(paid + 1e-6);
      }
    }),
    runs(500),
  );
});
