// What several rounds come to.
import { expect, test } from 'vitest';
import { median, spread } from './statistics.ts';

test('nothing has no median', () => {
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
