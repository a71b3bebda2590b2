// Nothing is lost when a list is cut into parts.
import { expect, test } from 'vitest';
import { chunks, groups } from './lists.ts';

test('groups stand in the order of their keys, and keep the order of their members', () => {
  expect(groups(['b2', 'a1', 'b1'], (text) => text.charAt(0))).toEqual([['a1'], ['b2', 'b1']]);
  expect(groups([], String)).toEqual([]);
});

test('only the last chunk may be smaller', () => {
  expect(chunks([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(chunks([1, 2], 2)).toEqual([[1, 2]]);
  expect(chunks([], 2)).toEqual([]);
});
