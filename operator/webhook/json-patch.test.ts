// Patches: what is made of two values leads from the one to the other, in the eyes of another implementation.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonPatch } from '../../kube/testing/json-patch.ts';
import { jsonDiff } from './json-patch.ts';

const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' });

/** Keys and items that meet, so that there is something to compare. */
const alike = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(0, 1, 'a', null, true),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'a/b', '~1', '', '__proto__'), tie('value'), { maxKeys: 4 }),
  ),
})).value;

test.each([
  ['any values', json],
  ['values that are alike', alike],
])('the patch between %s leads from one to the other', (_name, value) => {
  fc.assert(
    fc.property(value, value, (a, b) => {
      const [before, after] = [{ value: a }, { value: b }];
      expect(sorted(jsonPatch(before, jsonDiff(before, after)))).toEqual(sorted(after));
    }),
    { numRuns: 500 },
  );
});

test('between equal values there is nothing to do', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(jsonDiff(value, structuredClone(value))).toEqual([]);
    }),
  );
});

test('what is put in front of a list is added there, and the rest is not sent', () => {
  expect(jsonDiff({ list: [{ a: 1 }, { b: 2 }] }, { list: [{ c: 3 }, { a: 1 }, { b: 2 }] })).toEqual([
    { op: 'add', path: '/list/0', value: { c: 3 } },
  ]);
});

test('a key with a slash or a tilde is one step of the path', () => {
  expect(jsonDiff({ 'a/b': { '~': 1 } }, { 'a/b': { '~': 2 } })).toEqual([
    { op: 'replace', path: '/a~1b/~0', value: 2 },
  ]);
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => [key, sorted(item)]);
}
