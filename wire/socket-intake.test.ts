// What a socket of ours reads belongs to its receiver: small and large, early and late, it is what was sent.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { portOf } from '../kit/testing/ports.ts';
import type { ByteLink } from './byte-link.ts';
import { AnswerFirstSocket, socketLink } from './socket-link.ts';

async function opened(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = new AnswerFirstSocket({ allowHalfOpen: true }).connect(portOf(server), '127.0.0.1');
  const [far]: Socket[] = await once(server, 'connection');
  if (far === undefined) throw new Error('no connection');
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

/** Everything that comes, kept as it came. */
function kept(link: ByteLink): { chunks: Buffer[]; bytes(): number; whole(): Buffer } {
  const chunks: Buffer[] = [];
  link.listen({
    data: (chunk) => chunks.push(chunk),
    drained: () => undefined,
    ended: () => undefined,
    closed: () => undefined,
  });
  const whole = () => Buffer.concat(chunks);
  return { chunks, bytes: () => whole().length, whole };
}

test('a chunk is not written to again, whatever two sockets read after it', async () => {
  const [first, second] = [await opened(), await opened()];
  const [atFirst, atSecond] = [kept(socketLink(first.near)), kept(socketLink(second.near))];
  for (let round = 0; round < 20; round++) {
    first.far.write(String.fromCharCode(0x41 + round).repeat(100));
    second.far.write(String.fromCharCode(0x61 + round).repeat(100));
    await expect.poll(() => [atFirst.bytes(), atSecond.bytes()]).toEqual([100 * (round + 1), 100 * (round + 1)]);
  }
  const expected = (from: number) =>
    Array.from({ length: 20 }, (_, round) => String.fromCharCode(from + round).repeat(100)).join('');
  expect(String(atFirst.whole())).toBe(expected(0x41));
  expect(String(atSecond.whole())).toBe(expected(0x61));
});

test('much that comes at once is whole, and little after it', async () => {
  const { near, far } = await opened();
  const seen = kept(socketLink(near));
  const much = Buffer.alloc(3_000_000);
  for (let i = 0; i < much.length; i++) much[i] = (i * 31) >>> 3;
  far.write(much);
  await expect.poll(() => seen.bytes()).toBe(much.length);
  far.write('little');
  far.write(much);
  await expect.poll(() => seen.bytes()).toBe(2 * much.length + 6);
  expect(seen.whole().equals(Buffer.concat([much, Buffer.from('little'), much]))).toBe(true);
});

test('what comes before anybody listens is there for whoever does, and so is what follows', async () => {
  const { near, far } = await opened();
  far.write('early');
  await expect.poll(() => near.bytesRead).toBe(5);
  const seen = kept(socketLink(near));
  expect(seen.chunks).toEqual([]);
  await expect.poll(() => String(seen.whole())).toBe('early');
  far.write(' and late');
  await expect.poll(() => String(seen.whole())).toBe('early and late');
});

test('a link that is paused reads no more until it is resumed', async () => {
  const { near, far } = await opened();
  const link = socketLink(near);
  const seen = kept(link);
  link.pause();
  const before = Buffer.alloc(8_000_000, 'x');
  far.write(before);
  await expect.poll(() => far.writableLength).toBeGreaterThan(0);
  expect(seen.bytes()).toBeLessThanOrEqual(64 * 1024);
  link.resume();
  await expect.poll(() => seen.bytes()).toBe(before.length);
});
