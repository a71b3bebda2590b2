// Length-prefixed messages: however the bytes arrive, the same messages come out, and no prefix makes us set memory aside.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { runs } from '../kit/testing/runs.ts';
import { FrameReader, frameMessage } from './grpc-frame.ts';

const message = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

/** The bytes in chunks cut at any places, empty chunks among them. */
function chunks(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

test('a frame is a zero, the length in four bytes, and the message', () => {
  expect(frameMessage(Buffer.from('abc'))).toEqual(Buffer.from([0, 0, 0, 0, 3, 0x61, 0x62, 0x63]));
  expect(frameMessage(Buffer.alloc(0))).toEqual(Buffer.alloc(5));
});

test('any fragmentation gives the same messages, each as soon as its last byte is there', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 12 }), (messages, cuts) => {
      const reader = new FrameReader(40);
      const read: Buffer[] = [];
      let arrivedBytes = 0;
      for (const chunk of chunks(Buffer.concat(messages.map(frameMessage)), cuts)) {
        read.push(...must(reader.push(chunk)));
        arrivedBytes += chunk.length;
        const ends = messages.map((_, i) => Buffer.concat(messages.slice(0, i + 1).map(frameMessage)).length);
        expect(read).toHaveLength(ends.filter((end) => end <= arrivedBytes).length);
        expect(reader.isBetweenMessages).toBe(arrivedBytes === 0 || ends.includes(arrivedBytes));
      }
      expect(read).toEqual(messages);
    }),
    runs(500),
  );
});

test('byte by byte is as good', () => {
  const reader = new FrameReader(100);
  const bytes = Buffer.concat([frameMessage(Buffer.from('one')), frameMessage(Buffer.alloc(0))]);
  const read = [...bytes].flatMap((byte) => [...must(reader.push(Buffer.from([byte])))]);
  expect(read.map(String)).toEqual(['one', '']);
});

test('messages stay what they were when more arrives', () => {
  const reader = new FrameReader(100);
  const [first] = must(reader.push(Buffer.concat([frameMessage(Buffer.from('first')), Buffer.from([0, 0])])));
  must(reader.push(Buffer.from([0, 0, 4, 1, 2, 3, 4])));
  expect(String(first)).toBe('first');
});

describe('a prefix is refused before any of its message is there', () => {
  test.each([
    ['4 GiB', Buffer.from([0, 0xff, 0xff, 0xff, 0xff])],
    ['one byte too many', Buffer.from([0, 0, 0, 0, 101])],
  ])('%s', (_, prefix) => {
    expect(new FrameReader(100).push(prefix)).toEqual({ ok: false, error: 'too-large' });
  });

  test.each([1, 2, 0xff])('with the flag %i: compressed, or something newer', (flag) => {
    expect(new FrameReader(100).push(Buffer.from([flag, 0, 0, 0, 3]))).toEqual({ ok: false, error: 'compressed' });
  });

  test('only once all of it is there', () => {
    const reader = new FrameReader(100);
    for (const byte of [0, 0xff, 0xff, 0xff]) expect(reader.push(Buffer.from([byte]))).toEqual({ ok: true, value: [] });
    expect(reader.push(Buffer.from([0xff]))).toEqual({ ok: false, error: 'too-large' });
  });

  test('behind good messages too', () => {
    const bytes = Buffer.concat([frameMessage(Buffer.from('good')), Buffer.from([0, 0, 0, 1, 0])]);
    expect(new FrameReader(100).push(bytes)).toEqual({ ok: false, error: 'too-large' });
  });
});

test('a message of exactly the limit passes', () => {
  expect(must(new FrameReader(100).push(frameMessage(Buffer.alloc(100))))).toEqual([Buffer.alloc(100)]);
});

test('random bytes end in messages or in an error', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (parts) => {
      const reader = new FrameReader(1000);
      for (const part of parts) {
        const read = reader.push(Buffer.from(part));
        if (read.ok) continue;
        expect(['compressed', 'too-large']).toContain(read.error);
        return;
      }
    }),
  );
});

test('a message that comes byte by byte arrives whole, and what is held until then is known', () => {
  const reader = new FrameReader(1024 * 1024);
  const message = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251));
  const frame = frameMessage(message);
  for (let i = 0; i < frame.length - 1; i++) {
    expect(reader.push(frame.subarray(i, i + 1))).toEqual({ ok: true, value: [] });
  }
  expect(reader.heldBytes).toBe(frame.length - 1);
  const last = reader.push(frame.subarray(-1));
  expect(last.ok && last.value[0]?.equals(message)).toBe(true);
  expect(reader.heldBytes).toBe(0);
});

test('what is held keeps no more in memory than it is worth', () => {
  const reader = new FrameReader(1024 * 1024);
  const whole = frameMessage(Buffer.alloc(10_000));
  const chunk = Buffer.concat([whole, frameMessage(Buffer.alloc(20_000)).subarray(0, 7)]);
  expect(must(reader.push(chunk))).toHaveLength(1);
  expect(reader.begun?.bytes.buffer.byteLength).toBe(7);
});
