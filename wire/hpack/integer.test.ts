// Integers, both ways, and all that is none.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Cursor, NO_INTEGER, readInteger, writeInteger } from './integer.ts';

const prefix = fc.integer({ min: 1, max: 8 });
const value = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 28 }));

test('every integer comes back, and the flags beside it stay', () => {
  fc.assert(
    fc.property(prefix, value, fc.nat(255), (prefixBits, number, bits) => {
      const flags = bits & (0xff << prefixBits) & 0xff;
      const bytes = Buffer.alloc(8);
      const end = writeInteger(bytes, 1, flags, prefixBits, number);
      const cursor: Cursor = { bytes: bytes.subarray(0, end), at: 1 };
      expect(readInteger(cursor, prefixBits)).toBe(number);
      expect(cursor.at).toBe(end);
      expect((bytes[1] ?? 0) & (0xff << prefixBits) & 0xff).toBe(flags);
    }),
  );
});

test('an integer that is cut short is none', () => {
  fc.assert(
    fc.property(prefix, value, fc.nat(), (prefixBits, number, cut) => {
      const bytes = Buffer.alloc(8);
      const end = writeInteger(bytes, 0, 0, prefixBits, number);
      expect(readInteger({ bytes: bytes.subarray(0, cut % end), at: 0 }, prefixBits)).toBe(NO_INTEGER);
    }),
  );
});

test.each(['ffffffffff00', 'ff8080808000', 'ff80808080808080808001'])('%s goes on too long', (hex) => {
  expect(readInteger({ bytes: Buffer.from(hex, 'hex'), at: 0 }, 7)).toBe(NO_INTEGER);
});
