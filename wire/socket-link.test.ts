// A link on a socket keeps the promises of a ByteLink, and the last words of a server reach whoever reads first.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { portOf } from '../kit/testing/ports.ts';
import type { ByteLink } from './byte-link.ts';
import { AnswerFirstSocket, socketLink } from './socket-link.ts';

async function socketPair(): Promise<{ near: Socket; far: Socket; close(): void }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = new AnswerFirstSocket({ allowHalfOpen: true }).connect(portOf(server), '127.0.0.1');
  const [far]: Socket[] = await once(server, 'connection');
  if (far === undefined) throw new Error('no connection');
  return { near, far, close: () => void server.close() };
}

function listenTo(link: ByteLink) {
  const seen: string[] = [];
  const closed = new Promise<void>((resolve) => {
    link.listen({
      data: (chunk) => seen.push(chunk.length < 20 ? String(chunk) : 'much'),
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

test('each side ends for itself, and `closed` is the last word', async () => {
  const { near, far, close } = await socketPair();
  const [nearLink, farLink] = [socketLink(near), socketLink(far)];
  const [nearSaw, farSaw] = [listenTo(nearLink), listenTo(farLink)];
  nearLink.write(Buffer.from('request'));
  nearLink.end();
  await expect.poll(() => farSaw.seen).toEqual(['request', '<ended>']);
  farLink.write(Buffer.from('answer'));
  farLink.end();
  await Promise.all([nearSaw.closed, farSaw.closed]);
  expect(nearSaw.seen).toEqual(['answer', '<ended>', '<closed>']);
  expect(farSaw.seen).toEqual(['request', '<ended>', '<closed>']);
  expect(nearLink.write(Buffer.from('late'))).toBe(true);
  close();
});

test('a side that gives up is not taken for one that has ended', async () => {
  const { near, far, close } = await socketPair();
  const [nearLink, farLink] = [socketLink(near), socketLink(far)];
  const [nearSaw, farSaw] = [listenTo(nearLink), listenTo(farLink)];
  farLink.write(Buffer.from('half'));
  await expect.poll(() => nearSaw.seen).toEqual(['half']);
  farLink.destroy();
  await Promise.all([nearSaw.closed, farSaw.closed]);
  expect(nearSaw.seen).toEqual(['half', '<broken>']);
  close();
});

test('what has ended reaches a far side that reads it later, also when the link was given up by then', async () => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = connect({ port: portOf(server), host: '127.0.0.1' });
  const [writer]: Socket[] = await once(server, 'connection');
  if (writer === undefined) throw new Error('no connection');
  const link = socketLink(writer);
  const { closed } = listenTo(link);
  link.write(Buffer.alloc(400_000));
  link.end();
  if (!writer.writableFinished) await once(writer, 'finish');
  link.destroy();
  await closed;
  let bytes = 0;
  const outcome = new Promise<string>((resolve) => {
    reader.on('error', ({ message }) => resolve(message)).on('end', () => resolve('whole'));
  });
  reader.on('data', (chunk) => {
    bytes += chunk.length;
  });
  expect(await outcome).toBe('whole');
  expect(bytes).toBe(400_000);
  server.close();
});

test('a Unix socket, which knows no resets, is given up all the same', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'invoke-link-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'socket');
  const server = createServer({ allowHalfOpen: true }).listen(path);
  await once(server, 'listening');
  const near = connect({ path, allowHalfOpen: true });
  const [far]: Socket[] = await once(server, 'connection');
  if (far === undefined) throw new Error('no connection');
  const [nearLink, farLink] = [socketLink(near), socketLink(far)];
  const [nearSaw, farSaw] = [listenTo(nearLink), listenTo(farLink)];
  nearLink.write(Buffer.from('request'));
  await expect.poll(() => farSaw.seen).toEqual(['request']);
  nearLink.destroy();
  await expect.poll(() => farSaw.seen).toContain('<ended>');
  farLink.destroy();
  await Promise.all([nearSaw.closed, farSaw.closed]);
  server.close();
});

test('a writer is told when there is room again, and a paused reader gets nothing', async () => {
  const { near, far, close } = await socketPair();
  const [nearLink, farLink] = [socketLink(near), socketLink(far)];
  const [nearSaw, farSaw] = [listenTo(nearLink), listenTo(farLink)];
  farLink.pause();
  const piece = Buffer.alloc(1024 * 1024);
  while (nearLink.write(piece));
  await new Promise((resolve) => setImmediate(resolve));
  expect(farSaw.seen).toEqual([]);
  farLink.resume();
  await expect.poll(() => nearSaw.seen).toEqual(['<drained>']);
  nearLink.end();
  farLink.end();
  await Promise.all([nearSaw.closed, farSaw.closed]);
  close();
});

test('who pauses amid what comes gets the rest of it in order, and what comes after it', async () => {
  const { near, far, close } = await socketPair();
  const numbers = Buffer.alloc(800_000);
  for (let at = 0; at < numbers.length; at += 4) numbers.writeUInt32BE(at, at);
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    const [fromLink, toLink] = [socketLink(from), socketLink(to)];
    const chunks: Buffer[] = [];
    let [isPaused, whilePaused] = [false, 0];
    const bytes = () => chunks.reduce((sum, { length }) => sum + length, 0);
    toLink.listen({
      data: (chunk) => {
        chunks.push(chunk);
        if (isPaused) whilePaused++;
        isPaused = true;
        toLink.pause();
        setImmediate(() => {
          isPaused = false;
          toLink.resume();
        });
      },
      drained: () => undefined,
      ended: () => undefined,
      closed: () => undefined,
    });
    fromLink.write(numbers.subarray(0, 400_000));
    await expect.poll(bytes).toBe(400_000);
    fromLink.write(numbers.subarray(400_000));
    await expect.poll(bytes).toBe(800_000);
    expect(Buffer.concat(chunks).equals(numbers)).toBe(true);
    expect(chunks.length).toBeGreaterThan(4);
    expect(whilePaused).toBe(0);
  }
  near.destroy();
  far.destroy();
  close();
});

test('an answer is read though the server closed while the request was being written', async () => {
  const { near, far, close } = await socketPair();
  const nearLink = socketLink(near);
  const { seen, closed } = listenTo(nearLink);
  far.once('data', () => {
    far.pause();
    // With bytes unread, the kernel makes this a reset.
    far.end('answer', () => far.destroy());
  });
  const write = () => {
    if (near.destroyed) return;
    if (nearLink.write(Buffer.alloc(64 * 1024))) setImmediate(write);
    else near.once('drain', write);
  };
  write();
  await closed;
  expect(seen.filter((what) => what !== '<drained>')[0]).toBe('answer');
  close();
});

test('a socket that has closed already says so', async () => {
  const { near, far, close } = await socketPair();
  near.destroy();
  far.destroy();
  await once(near, 'close');
  const { seen, closed } = listenTo(socketLink(near));
  await closed;
  expect(seen).toEqual(['<closed>']);
  close();
});
