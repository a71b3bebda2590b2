// What is kept of requests so that they can be sent again: within bounds, and counted while it is kept.
import { expect, test } from 'vitest';
import { Kept, Replay } from './replay.ts';

const KIB = 1024;
const chunkOf = (bytes: number) => Buffer.alloc(bytes);

test('a body of 64 KiB is kept, and one byte more makes it forgotten', () => {
  const kept = new Kept();
  const replay = new Replay(kept);
  replay.addIfCheap(chunkOf(60 * KIB));
  replay.addIfCheap(chunkOf(4 * KIB));
  expect([replay.isWhole, kept.bytes]).toEqual([true, 64 * KIB]);
  replay.addIfCheap(chunkOf(1));
  expect([replay.isWhole, replay.isEmpty, kept.bytes]).toEqual([false, true, 0]);
});

test('of all calls together 16 MiB are kept: the call beyond has one attempt, until others have ended', () => {
  const kept = new Kept();
  const full = Array.from({ length: 256 }, () => {
    const replay = new Replay(kept);
    replay.addIfCheap(chunkOf(64 * KIB));
    return replay;
  });
  expect(full.every(({ isWhole }) => isWhole)).toBe(true);

  const beyond = new Replay(kept);
  beyond.addIfCheap(chunkOf(1));
  expect(beyond.isWhole).toBe(false);

  full[0]?.drop();
  const later = new Replay(kept);
  later.addIfCheap(chunkOf(64 * KIB));
  expect([later.isWhole, kept.bytes]).toEqual([true, 16 * KIB * KIB]);
});

test('what is dropped twice is counted once', () => {
  const kept = new Kept();
  const replay = new Replay(kept);
  replay.addIfCheap(chunkOf(5));
  replay.drop();
  replay.drop();
  expect(kept.bytes).toBe(0);
});
