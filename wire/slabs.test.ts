// Memory that is written from again and again: nothing that is on its way is ever written over, and what has left is used again.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { portOf } from '../kit/testing/ports.ts';
import type { ByteLink, Lent } from './byte-link.ts';
import { SLAB_BYTES, Slab } from './slabs.ts';
import { socketLink } from './socket-link.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function socketPair(): Promise<[near: Socket, far: Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const near = connect(portOf(server), '127.0.0.1');
  const [far] = await accepted;
  closers.push(() => {
    server.close();
    near.destroy();
    far.destroy();
  });
  return [near, far];
}

/** `bytes` of one number, through a slab. */
function write(link: ByteLink, number: number, bytes: number): void {
  const slab = Slab.take(bytes);
  slab.bytes.fill(number, slab.used, slab.used + bytes);
  slab.write(link, slab.used + bytes);
}

test('what waits for a slow reader arrives as it was, while others write', async () => {
  const [near, far] = await socketPair();
  const [other, otherFar] = await socketPair();
  otherFar.resume();
  far.pause();
  const slow = socketLink(near);
  const busy = socketLink(other);
  const sizes = Array.from({ length: 600 }, (_, i) => 1 + ((i * 7919) % 40_000));
  let otherBytes = 0;
  for (const [i, bytes] of sizes.entries()) {
    write(slow, i % 251, bytes);
    write(busy, 255, 1000);
    otherBytes += 1000;
    if (i % 20 === 0) await new Promise(setImmediate);
  }
  await expect.poll(() => other.bytesWritten).toBe(otherBytes);
  const expected = Buffer.concat(sizes.map((bytes, i) => Buffer.alloc(bytes, i % 251)));
  const received: Buffer[] = [];
  far.on('data', (chunk: Buffer) => received.push(chunk)).resume();
  await expect.poll(() => received.reduce((sum, { length }) => sum + length, 0)).toBe(expected.length);
  expect(Buffer.concat(received).equals(expected)).toBe(true);
});

/** A link that says when bytes are sent as the test has it. */
function heldLink() {
  const lent: Lent[] = [];
  const link = { write: (_: Buffer, one?: Lent) => one !== undefined && lent.push(one) > 0 };
  return { link, lent };
}

test('a slab is whole again once all that was written from it has left, and not before', () => {
  const { link, lent } = heldLink();
  const slab = Slab.take(SLAB_BYTES);
  slab.write(link, 1000);
  const same = Slab.take(1000);
  expect(same).toBe(slab);
  expect(same.used).toBe(1000);
  same.write(link, 3000);
  lent[0]?.sent();
  expect(slab.used).toBe(3000);
  lent[1]?.sent();
  expect(slab.used).toBe(0);
  expect(Slab.take(SLAB_BYTES)).toBe(slab);
  // Taken: what has left by now is nobody's to reset but the taker's.
  slab.drop();
});

test('a link that keeps what it was given never gives memory back', () => {
  const link = { write: () => true };
  const slab = Slab.take(SLAB_BYTES);
  slab.write(link, SLAB_BYTES);
  expect(Slab.take(SLAB_BYTES)).not.toBe(slab);
});
