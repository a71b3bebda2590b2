// A stream is cut at its line ends, wherever its chunks are cut.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineReader } from './lines.ts';

/** What is read of the bytes when they come in pieces of these sizes. */
function read(bytes: Buffer, sizes: readonly number[], lineBytesMax = 1000): { lines: string[]; isWhole: boolean } {
  const lines: string[] = [];
  const reader = lineReader(lineBytesMax, (line) => lines.push(line));
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    if (!reader.push(bytes.subarray(at, at + size))) return { lines, isWhole: false };
    at += size;
  }
  return { lines, isWhole: true };
}

test('lines are the same however they were cut', () => {
  const line = fc.json({ maxDepth: 1 }).map((text) => text.trim());
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(20)), (lines, sizes) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      expect(read(bytes, sizes, bytes.length + 1)).toEqual({ lines, isWhole: true });
    }),
  );
});

test('what has no end yet is no line, and empty lines are none', () => {
  expect(read(Buffer.from('a\r\n\n \nb'), [1, 1])).toEqual({ lines: ['a'], isWhole: true });
});

test('a line that is too long is refused before it is held whole', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 })), (sizes) => {
      expect(read(Buffer.from(`${'x'.repeat(10)}\n`), sizes, 10)).toEqual({ lines: ['x'.repeat(10)], isWhole: true });
      expect(read(Buffer.from(`a\n${'x'.repeat(11)}`), sizes, 10)).toEqual({ lines: ['a'], isWhole: false });
    }),
  );
});
