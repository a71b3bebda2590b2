// The link in memory keeps the promises of a ByteLink, so that what was tried on it holds on a socket.
import { expect, test } from 'vitest';
import type { ByteLink } from '../byte-link.ts';
import { cutInto, linkPair } from './link-pair.ts';

function listenTo(link: ByteLink) {
  const seen: string[] = [];
  const closed = new Promise<void>((resolve) => {
    link.listen({
      data: (chunk) => seen.push(chunk.toString()),
      drained: () => seen.push('<drained>'),
      ended: () => seen.push('<ended>'),
      closed: (error) => {
        seen.push(error === undefined ? '<closed>' : '<broken>');
        resolve();
      },
    });
  });
  return { seen, closed };
}

test('bytes arrive in order and in pieces, later than the call that wrote them, and both ends close', async () => {
  const [near, far] = linkPair({ cut: cutInto([2, 3]) });
  const [nearSaw, farSaw] = [listenTo(near), listenTo(far)];
  near.write(Buffer.from('abcdefg'));
  near.end();
  expect(farSaw.seen).toEqual([]);
  far.write(Buffer.from('yes'));
  far.end();
  await Promise.all([nearSaw.closed, farSaw.closed]);
  expect(farSaw.seen).toEqual(['ab', 'cde', 'fg', '<ended>', '<closed>']);
  expect(nearSaw.seen.join('')).toBe('yes<ended><closed>');
});

test('a paused end gets nothing, and its writer is told when there is room again', async () => {
  const [near, far] = linkPair({ highWaterBytes: 4 });
  const [nearSaw, farSaw] = [listenTo(near), listenTo(far)];
  far.pause();
  expect(near.write(Buffer.from('abc'))).toBe(true);
  expect(near.write(Buffer.from('def'))).toBe(false);
  await new Promise((resolve) => setImmediate(resolve));
  expect(farSaw.seen).toEqual([]);
  far.resume();
  await expect.poll(() => nearSaw.seen).toEqual(['<drained>']);
  expect(farSaw.seen).toEqual(['abc', 'def']);
  near.destroy();
  await Promise.all([nearSaw.closed, farSaw.closed]);
});

test('destroying drops what is on its way, and the far side sees a broken link', async () => {
  const [near, far] = linkPair();
  const [nearSaw, farSaw] = [listenTo(near), listenTo(far)];
  near.write(Buffer.from('lost'));
  near.destroy();
  await Promise.all([nearSaw.closed, farSaw.closed]);
  expect(nearSaw.seen).toEqual(['<closed>']);
  expect(farSaw.seen).toEqual(['<broken>']);
});
