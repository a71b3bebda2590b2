// When a collection of the young generation is asked for: once for so many bytes, and never from within a read.
import { afterEach, expect, test } from 'vitest';
import { collectYoungGarbageBy, leavesBuffers } from './young-garbage.ts';

afterEach(() => collectYoungGarbageBy(undefined));

test('every two megabytes, at the end of the turn', async () => {
  let collections = 0;
  collectYoungGarbageBy(() => collections++);
  for (let read = 0; read < 32; read++) leavesBuffers(64 * 1024);
  expect(collections).toBe(0);
  await new Promise(setImmediate);
  expect(collections).toBe(1);
  leavesBuffers(64 * 1024);
  await new Promise(setImmediate);
  expect(collections).toBe(1);
});

test('where the platform has no such thing to offer, nothing is asked for', () => {
  expect(() => leavesBuffers(100 * 1024 * 1024)).not.toThrow();
});
