// Text from outside cannot write lines, steer a terminal or fill a page.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { distance, excerpt, printable } from './text.ts';

test('control characters and line ends are escaped, everything else stays', () => {
  expect(printable('a\nb\r\x1b[2J\x7f\x9b\u2028\0')).toBe('a\\u000ab\\u000d\\u001b[2J\\u007f\\u009b\\u2028\\u0000');
  expect(printable('é "x" \\ 名')).toBe('é "x" \\ 名');
});

test('an excerpt is one printable line of bounded length', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const shown = excerpt(text, 20);
      expect(shown).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
      expect(shown.length).toBeLessThanOrEqual(20 * '\\u0000'.length + 1);
    }),
  );
  expect(excerpt('a'.repeat(80))).toBe('a'.repeat(80));
  expect(excerpt('a'.repeat(81))).toBe(`${'a'.repeat(80)}…`);
});

test.each([
  ['orders', 'orders', 0],
  ['orders', 'ordres', 1],
  ['orders', 'order', 1],
  ['orders', 'borders', 1],
  ['orders', 'orbers', 1],
  ['orders', 'stock', 6],
  ['', 'abc', 3],
])('from %s to %s it is %i slips', (a, b, slips) => {
  expect(distance(a, b)).toBe(slips);
});

test('slips count alike in both directions, and none means equal', () => {
  const word = fc.stringMatching(/^[abc]{0,6}$/);
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(distance(a, b)).toBe(distance(b, a));
      expect(distance(a, b) === 0).toBe(a === b);
    }),
  );
});
