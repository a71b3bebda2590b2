// The timeout grammar: what is read, and that what is printed never gives more time than there is.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { parseTimeout, printTimeout } from './timeout.ts';

test.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['3S', 3000],
  ['500m', 500],
  ['250u', 0.25],
  ['0S', 0],
  ['00000007S', 7000],
  ['99999999H', 99_999_999 * 3_600_000],
])('%s is %d ms', (text, ms) => {
  expect(must(parseTimeout(text))).toBeCloseTo(ms, 9);
});

test.each([
  ...['', 'S', '5', '123456789S', '5s', '5h', '5ms', '5 S', ' 5S', '5S ', '5S\n', '-5S', '+5S', '1.5S', '1e3S', '0x1S'],
  ...['5constructor', '٣S', '5S5S'],
])('%j is no timeout', (text) => {
  expect(parseTimeout(text)).toEqual({ ok: false, error: expect.stringContaining('is not a timeout') });
});

test('a message never quotes at length', () => {
  expect(parseTimeout('9'.repeat(100_000))).toMatchObject({ error: expect.not.stringContaining('9'.repeat(21)) });
  expect(parseTimeout('5\x1b[2J')).toMatchObject({ error: expect.not.stringContaining('\x1b') });
});

test.each([
  [0, '1n'],
  [-5, '1n'],
  [1e-9, '1n'],
  [0.5, '500000n'],
  [30_000, '30000000u'],
  [3_600_000, '3600000m'],
  [Number.MAX_VALUE, '99999999H'],
  [Number.POSITIVE_INFINITY, '99999999H'],
])('%d ms left are printed as %s', (leftMs, text) => {
  expect(printTimeout(leftMs)).toBe(text);
});

test('what is printed can be read, and is what is left, never more and hardly less', () => {
  const leftMs = fc.oneof(
    fc.double({ min: 1e-6, max: 1e12, noNaN: true }),
    fc.integer({ min: 1, max: 1e9 }),
    fc.double({ min: 1e-6, max: 10, noNaN: true }),
  );
  fc.assert(
    fc.property(leftMs, (left) => {
      const read = must(parseTimeout(printTimeout(left)));
      // A nanosecond count is not exact in binary: the last digit of a double may differ.
      expect(read).toBeLessThanOrEqual(left * (1 + Number.EPSILON * 2));
      expect(left - read).toBeLessThanOrEqual(Math.max(1e-6, left * 1e-3));
    }),
    { numRuns: 2000 },
  );
});
