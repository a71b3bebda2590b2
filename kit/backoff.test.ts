// Waits grow to their limit, and chance spreads them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs, fullJitterMs } from './backoff.ts';

const options = { baseMs: 100, maxMs: 5000 };

test('the step doubles with each try, up to the limit', () => {
  const almostOne = () => 1 - Number.EPSILON;
  const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => Math.round(backoffMs(attempt, options, almostOne)));
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test('chance takes away up to half of it', () => {
  expect([0, 0.25, 0.5].map((drawn) => backoffMs(1, options, () => drawn))).toEqual([50, 62.5, 75]);
});

test('a wait is never longer than the limit and never none, however many tries there were', () => {
  const drawn = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), drawn, (attempt, chance) => {
      const waitMs = backoffMs(attempt, options, () => chance);
      expect(waitMs).toBeGreaterThanOrEqual(options.baseMs / 2);
      expect(waitMs).toBeLessThanOrEqual(options.maxMs);
    }),
  );
});

test('with full jitter, chance may take all of it', () => {
  expect([0, 0.5].map((drawn) => fullJitterMs(3, options, () => drawn))).toEqual([0, 200]);
  expect(fullJitterMs(1e6, options, () => 0.5)).toBe(2500);
});
