// The wire format: what is written reads back, and bytes from outside end in fields or in an error, never in a throw.
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import { allBytes, lastBytes, lastNumber, lastString, lastUtf8, ProtoWriter, readFields } from './protobuf.ts';
import { anyBytes, hostile } from './testing-schema.ts';

const fieldNumber = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 2 ** 29 - 1 }));
const uint = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat());

function written(write: (writer: ProtoWriter) => void, capacity?: number): Buffer {
  const writer = new ProtoWriter(capacity);
  write(writer);
  return writer.finish();
}

test('fields read back in order, with their numbers and values, however small the first buffer was', () => {
  const field = fc.oneof(
    fc.record({ number: fieldNumber, kind: fc.constant('number' as const), value: uint.filter((value) => value > 0) }),
    fc.record({ number: fieldNumber, kind: fc.constant('bytes' as const), value: anyBytes }),
  );
  fc.assert(
    fc.property(fc.array(field), fc.integer({ min: 1, max: 64 }), (fields, capacity) => {
      const bytes = written((writer) => {
        for (const { number, kind, value } of fields) {
          if (kind === 'number') writer.uint(number, value);
          else writer.bytes(number, value);
        }
      }, capacity);
      expect(must(readFields(bytes))).toEqual(fields);
    }),
  );
});

test('numbers are the bytes that another implementation writes', () => {
  fc.assert(
    fc.property(
      uint.filter((value) => value > 0),
      fieldNumber,
      (value, number) => {
        const oracle = protobuf.Writer.create().uint32((number << 3) >>> 0);
        expect(written((writer) => writer.uint(number, value))).toEqual(Buffer.from(oracle.uint64(value).finish()));
      },
    ),
  );
});

test('proto3 leaves out zeros, false and empty strings, but a writer of bytes means even none', () => {
  const bytes = written((writer) => {
    writer.uint(1, 0);
    writer.bool(2, false);
    writer.string(3, '');
    writer.utf8(4, '');
  });
  expect(bytes).toHaveLength(0);
  expect(lastBytes(must(readFields(written((writer) => writer.bytes(5, Buffer.alloc(0))))), 5)).toHaveLength(0);
});

test('strings keep every byte, text keeps every character', () => {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1');
  const fields = must(
    readFields(
      written((writer) => {
        writer.string(1, everyByte);
        writer.utf8(2, 'größe 名 🙂');
      }),
    ),
  );
  expect(lastString(fields, 1)).toBe(everyByte);
  expect(lastUtf8(fields, 2)).toBe('größe 名 🙂');
});

test('of a field that comes twice the last one counts, and one of another kind is not it', () => {
  const fields = must(
    readFields(
      written((writer) => {
        writer.string(1, 'first');
        writer.string(1, 'last');
        writer.uint(1, 7);
        writer.uint(2, 8);
        writer.uint(2, 9);
        writer.string(2, 'not a number');
      }),
    ),
  );
  expect(lastString(fields, 1)).toBe('last');
  expect(lastNumber(fields, 2)).toBe(9);
  expect(allBytes(fields, 1).map(String)).toEqual(['first', 'last']);
  expect([lastString(fields, 3), lastNumber(fields, 3), lastBytes(fields, 3)]).toEqual(['', 0, undefined]);
});

describe('bytes from outside', () => {
  test.each([
    ['a tag that does not end', [0x80]],
    ['a tag beyond 32 bits', [0xf8, 0xff, 0xff, 0xff, 0x7f, 0x00]],
    ['field number 0', [0x02, 0x00]],
    ['a number that does not end', [0x08, 0xff]],
    ['a number of eleven bytes', [0x08, ...Array(10).fill(0xff), 0x01]],
    ['a length beyond the end', [0x0a, 0x05, 0x61]],
    ['a length of 2^63', [0x0a, ...Array(9).fill(0x80), 0x01]],
    ['a fixed64 cut short', [0x09, 0, 0, 0, 0, 0, 0, 0]],
    ['a fixed32 cut short', [0x0d, 0, 0, 0]],
    ['a group', [0x0b, 0x0c]],
    ['wire type 6', [0x0e]],
    ['wire type 7', [0x0f]],
  ])('are an error: %s', (_, bytes) => {
    expect(readFields(Buffer.from(bytes))).toEqual({ ok: false, error: expect.any(String) });
  });

  test('may hold fixed-width fields, which are skipped', () => {
    const bytes = Buffer.from([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0d, 1, 2, 3, 4, 0x10, 0x2a]);
    expect(readFields(bytes)).toEqual({ ok: true, value: [{ number: 2, kind: 'number', value: 42 }] });
  });

  test('may hold only so many fields: each costs many times its two bytes', () => {
    expect(readFields(Buffer.alloc(2 * 8192, Buffer.from([0x08, 0x01]))).ok).toBe(true);
    expect(readFields(Buffer.alloc(2 * 8193, Buffer.from([0x08, 0x01])))).toEqual({
      ok: false,
      error: expect.stringContaining('more than 8192 fields'),
    });
  });

  test('never throw, and what is read lies within them', () => {
    const message = fc.array(fc.tuple(fieldNumber, anyBytes)).map((fields) =>
      written((writer) => {
        for (const [number, value] of fields) writer.bytes(number, value);
      }),
    );
    fc.assert(
      fc.property(hostile(message), (bytes) => {
        const fields = readFields(bytes);
        if (!fields.ok) return;
        const lengths = fields.value.map((field) => (field.kind === 'bytes' ? field.value.length : 0));
        expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});
