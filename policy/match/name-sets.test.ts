// The patterns that a name fits, and that names made up by callers do not pile up.
import { expect, test } from 'vitest';
import { NameSets } from './name-sets.ts';

function placesOf(sets: NameSets, name: string): number[] {
  return [...sets.fitting(name)].flatMap((word, at) =>
    Array.from({ length: 32 }, (_, bit) => (word & (1 << bit) ? [at * 32 + bit] : [])).flat(),
  );
}

test('a name fits the patterns of the list, the same one twice, and beyond the first word', () => {
  const sets = new NameSets(['a*', 'b', '*', 'a*', ...Array.from({ length: 40 }, () => 'c'), 'abc']);
  expect(placesOf(sets, 'abc')).toEqual([0, 2, 3, 44]);
  expect(placesOf(sets, 'b')).toEqual([1, 2]);
  expect(placesOf(sets, '')).toEqual([2]);
});

test('what was found for a name is remembered, but not for ever more names, nor for names without end', () => {
  const sets = new NameSets(['a*']);
  const first = sets.fitting('a');
  expect(sets.fitting('a')).toBe(first);
  for (let i = 0; i < 1000; i++) sets.fitting(`name-${i}`);
  expect(sets.fitting('a')).not.toBe(first);
  expect(sets.fitting('a')).toEqual(first);
  const long = 'a'.repeat(1000);
  expect(sets.fitting(long)).not.toBe(sets.fitting(long));
  expect(placesOf(sets, long)).toEqual([0]);
});
