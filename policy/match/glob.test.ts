// A star stands for any characters, none included, wherever it is; checked against a regular expression.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesGlob, parseGlob } from './glob.ts';
import { NameIndex } from './names.ts';

const anyPattern = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), maxLength: 8 });
const anyName = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 10 });
const naive = (pattern: string, name: string) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name);

test('a name fits a pattern as a regular expression has it', () => {
  fc.assert(
    fc.property(anyPattern, anyName, (pattern, name) => {
      expect(matchesGlob(parseGlob(pattern), name)).toBe(naive(pattern, name));
    }),
    { numRuns: 5000 },
  );
});

test('an index finds what each pattern that fits keeps, once', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyPattern, { maxLength: 12 }), anyName, (patterns, name) => {
      const index = new NameIndex<string>();
      for (const pattern of [...patterns, ...patterns]) index.at(pattern, () => pattern);
      const found: string[] = [];
      index.find(name, found);
      expect(found.toSorted()).toEqual(patterns.filter((pattern) => naive(pattern, name)).toSorted());
    }),
    { numRuns: 2000 },
  );
});

test('a pattern of many stars is no burden', () => {
  expect(matchesGlob(parseGlob(`${'*a'.repeat(30)}b`), 'a'.repeat(63))).toBe(false);
});
