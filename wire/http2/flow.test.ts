// Windows and turns: who may send how much, who goes first, and what a stream that nobody reads costs the others.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import type { Requester, Responder, Serve } from '../message.ts';
import { request } from '../testing/h2c-client.ts';
import { echo } from '../testing/h2c-server.ts';
import { linkPair } from '../testing/link-pair.ts';
import { get, number32, opening, post, RawPeer, rawFrame } from '../testing/raw-frames.ts';
import { Recorder } from '../testing/recorder.ts';
import { Chunks } from './chunks.ts';
import { http2Client } from './client.ts';
import { WindowBudget } from './flow.ts';
import { Flag, FrameType, PREFACE } from './protocol.ts';
import { http2Server } from './server.ts';
import { Setting, writeSettings } from './settings.ts';

const ignore = { closed: () => undefined };

function answering(app: (responder: Responder) => void): Serve {
  return (_head, responder) => {
    responder.head({ status: 200, fields: [], bodyBytes: undefined });
    app(responder);
    return new Recorder();
  };
}

/** Opens with all windows as wide as can be. */
const wide = () =>
  Buffer.concat([
    PREFACE,
    rawFrame(FrameType.SETTINGS, 0, 0, writeSettings([[Setting.INITIAL_WINDOW_SIZE, 2 ** 30]])),
    rawFrame(FrameType.WINDOW_UPDATE, 0, 0, number32(2 ** 30)),
  ]);

const dataOf = (peer: RawPeer, id?: number) =>
  peer.frames.filter((frame) => frame.type === FrameType.DATA && (id === undefined || frame.id === id));
const bytesOf = (peer: RawPeer, id?: number) => dataOf(peer, id).reduce((sum, { payload }) => sum + payload.length, 0);

test('streams take turns in frames of 16 KiB, and a small message overtakes a large one', async () => {
  const [near, far] = linkPair();
  const responders: Responder[] = [];
  http2Server(
    near,
    answering((responder) => responders.push(responder)),
    ignore,
    { clock: systemClock },
  );
  const peer = new RawPeer(far);
  peer.send(wide(), get(1), get(3), get(5));
  await expect.poll(() => responders.length).toBe(3);
  for (const responder of responders.slice(0, 2)) responder.data(Buffer.alloc(300_000));
  responders[2]?.data(Buffer.alloc(100));
  await expect.poll(() => bytesOf(peer)).toBe(600_100);
  expect(
    dataOf(peer)
      .slice(0, 6)
      .map(({ id, payload }) => [id, payload.length]),
  ).toEqual([
    [1, 16_384],
    [3, 16_384],
    [5, 100],
    [1, 16_384],
    [3, 16_384],
    [1, 16_384],
  ]);
});

test('200 streams whose readers have stopped do not hold up another', async () => {
  const [near, far] = linkPair();
  const server = http2Server(near, echo, ignore, { clock: systemClock, streamsMax: 300 });
  const client = http2Client(far, ignore, { clock: systemClock });
  await expect.poll(() => client.areSettingsAcknowledged && client.streamsFree).toBe(300);
  const stuck = Array.from({ length: 200 }, () => new Recorder().pauseAll());
  const requesters = stuck.map((recorder): Requester => {
    const requester = client.request(request({ method: 'POST' }), recorder);
    requester.data(Buffer.alloc(200_000));
    return requester;
  });
  await Promise.all(stuck.map((recorder) => recorder.heard(1)));
  const quick = new Recorder();
  const requester = client.request(request({ method: 'POST' }), quick);
  requester.data(Buffer.from('quick'));
  requester.end([]);
  expect(await quick.outcome()).toMatchObject({ kind: 'end' });
  for (const [index, recorder] of stuck.entries()) {
    recorder.goOn();
    requesters[index]?.resume();
    requesters[index]?.end([]);
  }
  for (const recorder of stuck) {
    await recorder.outcome();
    expect(recorder.bytes).toBe(200_000);
  }
  expect([client.streamCount, server.streamCount]).toEqual([0, 0]);
});

test('a slow link stops the source of a stream, and it goes on when the link has drained', async () => {
  const [near, far] = linkPair({ highWaterBytes: 10_000 });
  const receiver = new Recorder();
  let responder: Responder | undefined;
  const serve: Serve = (_head, hand) => {
    responder = hand;
    return receiver;
  };
  http2Server(near, serve, ignore, { clock: systemClock });
  const peer = new RawPeer(far);
  peer.send(wide(), get(1));
  await expect.poll(() => responder !== undefined).toBe(true);
  far.pause();
  responder?.head({ status: 200, fields: [], bodyBytes: undefined });
  let sent = 0;
  while (responder?.data(Buffer.alloc(10_000)) === 'ok') sent += 10_000;
  expect(sent).toBeLessThan(300_000);
  await new Promise(setImmediate);
  expect(near.written.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(300_000);
  expect(receiver.resumes).toBe(0);
  far.resume();
  await receiver.resumed();
  expect(near.isPaused).toBe(false);
  responder?.end([]);
  await expect.poll(() => bytesOf(peer)).toBe(sent + 10_000);
});

test('SETTINGS that make windows smaller, below zero, stop a stream until credit makes up for it', async () => {
  const [near, far] = linkPair();
  let responder: Responder | undefined;
  http2Server(
    near,
    answering((hand) => {
      responder = hand;
    }),
    ignore,
    { clock: systemClock },
  );
  const peer = new RawPeer(far);
  const initial = (bytes: number) =>
    rawFrame(FrameType.SETTINGS, 0, 0, writeSettings([[Setting.INITIAL_WINDOW_SIZE, bytes]]));
  peer.send(PREFACE, initial(1000), get(1));
  await expect.poll(() => responder !== undefined).toBe(true);
  responder?.data(Buffer.alloc(3000));
  await expect.poll(() => bytesOf(peer, 1)).toBe(1000);
  peer.send(initial(100), rawFrame(FrameType.WINDOW_UPDATE, 0, 1, number32(1000)));
  await expect.poll(() => bytesOf(peer, 1)).toBe(1100);
  peer.send(initial(2000));
  await expect.poll(() => bytesOf(peer, 1)).toBe(3000);
});

test('a window grows while its receiver keeps up, to 1 MiB, inside the budget; what it took comes back', async () => {
  const budget = new WindowBudget(1_000_000);
  const [near, far] = linkPair();
  const server = http2Server(near, () => new Recorder(), ignore, { clock: systemClock, windowBudget: budget });
  const client = http2Client(far, ignore, { clock: systemClock, windowBudget: new WindowBudget(0) });
  const recorder = new Recorder();
  const requester = client.request(request({ method: 'POST' }), recorder);
  for (let i = 0; i < 100; i++) {
    recorder.resumes = 0;
    if (requester.data(Buffer.alloc(100_000)) === 'pause') await recorder.resumed();
  }
  await expect.poll(() => budget.leftBytes).toBe(1_000_000 - (1024 - 80) * 1024);
  const second = new Recorder();
  const other = client.request(request({ method: 'POST' }), second);
  for (let i = 0; i < 20; i++) {
    second.resumes = 0;
    if (other.data(Buffer.alloc(100_000)) === 'pause') await second.resumed();
  }
  await expect.poll(() => budget.leftBytes).toBe(0);
  requester.cancel({ kind: 'reset', reason: 'enough' });
  other.cancel({ kind: 'reset', reason: 'enough' });
  await expect.poll(() => server.streamCount).toBe(0);
  expect(budget.leftBytes).toBe(1_000_000);
});

test('small messages cost no frame of credit', async () => {
  const [near, far] = linkPair();
  http2Server(near, echo, ignore, { clock: manualClock() });
  const peer = new RawPeer(far);
  peer.send(opening());
  for (let id = 1; id < 200; id += 2) peer.send(post(id), rawFrame(FrameType.DATA, 1, id, Buffer.alloc(1024)));
  await expect.poll(() => bytesOf(peer)).toBe(65_535);
  expect(peer.frames.filter(({ type, id }) => type === FrameType.WINDOW_UPDATE && id !== 0)).toEqual([]);
  // That of the opening: the connection's window is wider than the protocol's.
  expect(peer.frames.filter(({ type }) => type === FrameType.WINDOW_UPDATE)).toHaveLength(1);
});

test('a body of 64 KiB with a head has room in the first window, and costs no frame of credit', async () => {
  const [near, far] = linkPair();
  const receiver = new Recorder();
  http2Server(near, () => receiver, ignore, { clock: manualClock() });
  const peer = new RawPeer(far);
  const pieces = Array(4).fill(rawFrame(FrameType.DATA, 0, 1, Buffer.alloc(16 * 1024)));
  peer.send(opening(), post(1), ...pieces, rawFrame(FrameType.DATA, Flag.END_STREAM, 1, Buffer.alloc(8 * 1024)));
  peer.send(rawFrame(FrameType.PING, 0, 0, Buffer.alloc(8)));
  await peer.awaited(FrameType.PING);
  expect(receiver).toMatchObject({ bytes: 72 * 1024, outcomes: [{ kind: 'end' }] });
  expect(peer.frames.filter(({ type, id }) => type === FrameType.WINDOW_UPDATE && id !== 0)).toEqual([]);
});

test('a body of 64 KiB leaves in one write', async () => {
  const [near, far] = linkPair();
  const receiver = new Recorder();
  http2Server(near, () => receiver, ignore, { clock: manualClock() });
  const client = http2Client(far, ignore, { clock: manualClock() });
  await expect.poll(() => client.areSettingsAcknowledged).toBe(true);
  const writes = far.written.length;
  const requester = client.request(request({ method: 'POST' }), new Recorder());
  requester.data(Buffer.alloc(64 * 1024));
  requester.end([]);
  await expect.poll(() => receiver.bytes).toBe(64 * 1024);
  expect(far.written.length - writes).toBe(1);
});

test('frames of one turn leave in one write', async () => {
  const [near, far] = linkPair();
  http2Server(
    near,
    answering((responder) => {
      responder.data(Buffer.from('a'));
      responder.end(['b', 'c']);
    }),
    ignore,
    { clock: manualClock() },
  );
  const peer = new RawPeer(far);
  peer.send(opening(), get(1), get(3), get(5));
  await expect.poll(() => dataOf(peer).length).toBe(3);
  expect(near.written.length).toBeLessThanOrEqual(2);
});

test('the end of a message that follows in the same turn is a flag, and no frame', async () => {
  const [near, far] = linkPair();
  const peer = new RawPeer(far, true);
  const client = http2Client(near, ignore, { clock: manualClock() });
  client.request(request(), new Recorder()).end([]);
  const body = client.request(request({ method: 'POST' }), new Recorder());
  body.data(Buffer.from('hello'));
  body.end([]);
  await expect.poll(() => dataOf(peer).length).toBe(1);
  const ofStreams = peer.frames.filter(({ id }) => id > 0).map(({ type, flags, id }) => [type, flags, id]);
  expect(ofStreams).toEqual([
    [FrameType.HEADERS, 5, 1],
    [FrameType.HEADERS, 4, 3],
    [FrameType.DATA, 1, 3],
  ]);
});

test('bytes that wait come out as they went in, and tiny pieces cost little', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.integer({ min: 1, max: 50 }),
          fc.integer({ min: 1, max: 9000 }),
          fc.integer({ min: -9000, max: -1 }),
          fc.integer({ min: -50, max: -1 }),
        ),
        { maxLength: 60 },
      ),
      (steps) => {
        const chunks = new Chunks();
        const [went, came]: [Buffer[], Buffer[]] = [[], []];
        for (const [index, step] of steps.entries()) {
          const piece = Buffer.alloc(Math.max(step, 0), index + 1);
          if (step > 0) {
            chunks.push(piece);
            went.push(piece);
          } else came.push(chunks.take(-step));
        }
        while (chunks.bytes > 0) came.push(chunks.take(5000));
        expect(Buffer.concat(came).equals(Buffer.concat(went))).toBe(true);
      },
    ),
  );
  const chunks = new Chunks();
  const large = Buffer.alloc(64 * 1024);
  for (let i = 0; i < 4096; i++) chunks.push(large.subarray(i, i + 1));
  const taken = chunks.take(5000);
  expect(taken.length).toBe(4096);
  expect(taken.buffer).not.toBe(large.buffer);
});
