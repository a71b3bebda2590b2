// The meter of gRPC messages: however the bytes are cut, it sees the one that is too long by its prefix.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameMessage } from './grpc-frame.ts';
import { GrpcMeter } from './grpc-meter.ts';

const LIMIT = 300;

/** How many bytes pass before the meter says no; undefined if it never does. */
function passed(bytes: Buffer, cuts: readonly number[]): number | undefined {
  const meter = new GrpcMeter(LIMIT);
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    if (!meter.pass(bytes.subarray(start, end))) return end;
    start = end;
  }
  return undefined;
}

const lengths = fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 250, max: 400 })), {
  maxLength: 8,
});

test('messages pass up to the limit, cut anywhere, and one beyond it is seen as soon as its prefix has passed', () => {
  fc.assert(
    fc.property(lengths, fc.array(fc.nat(), { maxLength: 20 }), (sizes, cuts) => {
      const bytes = Buffer.concat(sizes.map((size) => frameMessage(Buffer.alloc(size, 0xff))));
      const firstTooLong = sizes.findIndex((size) => size > LIMIT);
      const stopped = passed(bytes, cuts);
      if (firstTooLong < 0) {
        expect(stopped).toBeUndefined();
        return;
      }
      const prefixEnd = sizes.slice(0, firstTooLong).reduce((sum, size) => sum + size + 5, 5);
      expect(stopped).toBeGreaterThanOrEqual(prefixEnd);
      const each = Array.from({ length: bytes.length }, (_, at) => at);
      expect(passed(bytes, each)).toBe(prefixEnd);
    }),
  );
});

test('a message of 4 GiB is too long, and without a limit it is not; a compressed one counts as it comes', () => {
  const prefix = Buffer.from([1, 0xff, 0xff, 0xff, 0xff]);
  expect(new GrpcMeter(LIMIT).pass(prefix)).toBe(false);
  expect(new GrpcMeter(Number.POSITIVE_INFINITY).pass(prefix)).toBe(true);
});
