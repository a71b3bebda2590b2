// Percentiles and medians: values that were measured, and what several rounds come to.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { median, percentile, spread } from './statistics.ts';

test('a percentile is a value that was measured, with at least that share at or below it', () => {
  const values = fc.array(fc.integer(), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 100 }), (unsorted, percent) => {
      const sorted = unsorted.toSorted((a, b) => a - b);
      const found = percentile(sorted, percent);
      expect(sorted).toContain(found);
      expect(sorted.filter((value) => value <= found).length * 100).toBeGreaterThanOrEqual(percent * sorted.length);
      expect(sorted.filter((value) => value < found).length * 100).toBeLessThan(percent * sorted.length);
    }),
  );
});

test('nothing has no percentile and no median', () => {
  expect(percentile([], 50)).toBeNaN();
  expect(median([])).toBeNaN();
});

test('the median is the middle one, or the mean of the two in the middle, and leaves its input as it was', () => {
  const rounds = [9, 1, 5];
  expect(median(rounds)).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(rounds).toEqual([9, 1, 5]);
});

test('the spread is from lowest to highest, as a share of the median', () => {
  expect(spread([90, 100, 120])).toBeCloseTo(0.3);
  expect(spread([7, 7, 7])).toBe(0);
});
