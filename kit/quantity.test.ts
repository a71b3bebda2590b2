// Amounts as people write them: what is read, and that anything else is said to be wrong.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration, parseSize } from './quantity.ts';

describe('a size', () => {
  test.each([
    ['0', 0],
    ['4096', 4096],
    ['4Mi', 4 * 2 ** 20],
    ['512Ki', 512 * 1024],
    ['10M', 10_000_000],
    ['2k', 2000],
    ['1Gi', 2 ** 30],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['0.3', 1],
    [' 4Mi ', 4 * 2 ** 20],
  ])('%j is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toEqual({ ok: true, value: bytes });
  });

  test.each([
    ...[
      '',
      'Mi',
      '4MB',
      '4mi',
      '4 Mi',
      '4K',
      '1e3',
      '0x10',
      '.5',
      '4.',
      '+4',
      '-1',
      '4Mi4Mi',
      '4\n4',
      'NaN',
      'Infinity',
    ],
    ...['4constructor', '4toString', '4hasOwnProperty'],
  ])('%j is none', (text) => {
    expect(parseSize(text)).toEqual({ ok: false, error: expect.stringContaining('is not a size') });
  });

  test.each(['9007199254740992', '9000Ti', '9'.repeat(400)])('%s is too large', (text) => {
    expect(parseSize(text)).toEqual({ ok: false, error: expect.stringContaining('too large') });
  });
});

describe('a duration', () => {
  test.each([
    ['0s', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['0.5ms', 0.5],
    [' 2s ', 2000],
  ])('%j is %d ms', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms });
  });

  test.each(['', '5', 's', '5S', '5 s', '-5s', '+5s', '5d', '1h30', '1h,30m', '1e3s', '.5s', '5.s', '5s\n5s', '5us'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toEqual({ ok: false, error: expect.stringContaining('is not a duration') });
    },
  );

  test('longer than a number can say is too long', () => {
    expect(parseDuration(`${'9'.repeat(400)}h`)).toEqual({ ok: false, error: expect.stringContaining('too long') });
  });
});

test('whatever is read is a number that can be used; whatever is wrong is quoted in one short line', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[-0-9.]{1,20}[a-zA-Z]{0,3}$/));
  fc.assert(
    fc.property(fc.constantFrom(parseSize, parseDuration), text, (parse, text) => {
      const read = parse(text);
      if (read.ok) expect(Number.isFinite(read.value) && read.value >= 0).toBe(true);
      else expect(read.error).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
    }),
    { numRuns: 1000 },
  );
  expect(parseSize('x'.repeat(10_000))).toMatchObject({ error: expect.not.stringContaining('x'.repeat(100)) });
});
