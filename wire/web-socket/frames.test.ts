// Where a frame of WebSocket ends, however its bytes come, and a close frame as others read it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { closeFrame, FrameMeter } from './frames.ts';

const anyFrame = fc
  .record({
    opcode: fc.constantFrom(0, 1, 2, 8, 9, 10),
    isMasked: fc.boolean(),
    length: fc.oneof(fc.nat(130), fc.constantFrom(65_535, 65_536, 70_000)),
  })
  .map(({ opcode, isMasked, length }) => {
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    head[1] = (isMasked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    return Buffer.concat([head, Buffer.alloc((isMasked ? 4 : 0) + length, 0xa5)]);
  });

test('it is between frames at their ends, and nowhere else', () => {
  const cuts = fc.array(fc.nat(1000), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 4 }), cuts, (frames, offsets) => {
      const bytes = Buffer.concat(frames);
      const ends = new Set([0]);
      for (const frame of frames) ends.add(Math.max(...ends) + frame.length);
      const places = [...new Set([...offsets, ...ends, bytes.length])]
        .filter((at) => at <= bytes.length)
        .sort((a, b) => a - b);
      const meter = new FrameMeter();
      let from = 0;
      for (const to of places) {
        meter.push(bytes.subarray(from, to));
        expect([to, meter.isBetweenFrames]).toEqual([to, ends.has(to)]);
        from = to;
      }
    }),
  );
});

test.each([false, true])('a close frame says why, and is as long as one may be (masked: %s)', (isMasked) => {
  const meter = new FrameMeter();
  const frame = closeFrame(1008, 'x'.repeat(500), isMasked);
  meter.push(frame);
  expect(meter.isBetweenFrames).toBe(true);
  expect(frame.length).toBe(2 + (isMasked ? 4 : 0) + 125);
  expect(frame.readUInt16BE(isMasked ? 6 : 2)).toBe(1008);
});
