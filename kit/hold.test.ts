// The bound for what is held: counted by call, free up to a size, and given back whole.
import { expect, test } from 'vitest';
import { HeldBytes } from './held-bytes.ts';
import { Hold } from './hold.ts';

const KIB = 1024;

test('small calls pass while large ones fill the room, and what ends makes room', () => {
  const all = new HeldBytes(1000 * KIB);
  const [large, second, small] = [new Hold(all), new Hold(all), new Hold(all)];
  expect(large.take(1064 * KIB)).toBe(true);
  expect(second.take(64 * KIB)).toBe(true);
  expect(second.take(1)).toBe(false);
  expect([small.take(32 * KIB), small.take(32 * KIB)]).toEqual([true, true]);
  large.release();
  large.release();
  expect(second.take(900 * KIB)).toBe(true);
  second.release();
  expect(new Hold(all).take(1064 * KIB)).toBe(true);
});
