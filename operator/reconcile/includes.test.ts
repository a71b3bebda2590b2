// When an object needs no writing.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { includes } from './includes.ts';

const tree = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }),
  ),
})).value;

test('whatever is as wanted includes it, and goes on doing so when others add to its maps', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), tree), fc.dictionary(fc.string(), tree), (wanted, added) => {
      expect(includes(structuredClone(wanted), wanted)).toBe(true);
      expect(includes({ ...added, ...wanted }, wanted)).toBe(true);
    }),
  );
});

test('what differs or lacks something does not', () => {
  expect(includes({ a: { b: 1 } }, { a: { b: 2 } })).toBe(false);
  expect(includes({ a: {} }, { a: { b: 1 } })).toBe(false);
  expect(includes(undefined, { a: 1 })).toBe(false);
  expect(includes({ a: 'x' }, { a: ['x'] })).toBe(false);
  expect(includes([{ name: 'a' }], [{ name: 'a', port: 1 }])).toBe(false);
});

test('lists may hold more, in any order', () => {
  expect(includes([{ name: 'b' }, { name: 'a', port: 1, more: true }], [{ name: 'a', port: 1 }])).toBe(true);
  expect(includes(undefined, [{ name: 'a' }])).toBe(false);
});

test('false may be left out, and true may not', () => {
  expect(includes({}, { flag: false })).toBe(true);
  expect(includes({ flag: true }, { flag: false })).toBe(false);
  expect(includes({}, { flag: true })).toBe(false);
});
