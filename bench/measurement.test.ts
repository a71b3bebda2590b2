// What several rounds come to when they are put side by side.
import { expect, test } from 'vitest';
import { ratioOf, spreadOf } from './measurement.ts';

test('a ratio is taken in each round, so that a round in which the machine was slow changes nothing', () => {
  expect(ratioOf([100, 1000, 130], [200, 2000, 100])).toEqual({ median: 0.5, lowest: 0.5, highest: 1.3 });
});

test('there is no ratio to what is missing in a round, nor to what is not above nothing', () => {
  for (const [ours, theirs] of [
    [
      [1, undefined],
      [1, 1],
    ],
    [[1, 1], [1]],
    [
      [1, -1],
      [1, 1],
    ],
    [
      [1, 1],
      [1, 0],
    ],
    [[], []],
  ] satisfies [(number | undefined)[], (number | undefined)[]][]) {
    expect(ratioOf(ours, theirs)).toBeUndefined();
  }
});

test('a spread is a share, and there is none of one round or of a median that is not above nothing', () => {
  expect(spreadOf([90, undefined, 100, 110])).toBeCloseTo(0.2);
  expect(spreadOf([100])).toBeUndefined();
  expect(spreadOf([-20, -10, 5])).toBeUndefined();
});
