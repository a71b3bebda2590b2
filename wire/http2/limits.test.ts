// What a peer may not do too often: each offence ends the connection with ENHANCE_YOUR_CALM, under its own name.
import { expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import type { Serve, WireFailure } from '../message.ts';
import { echo } from '../testing/h2c-server.ts';
import { linkPair } from '../testing/link-pair.ts';
import {
  block,
  GET,
  get,
  headers,
  number32,
  opening,
  post,
  RawPeer,
  rawFrame,
  settings,
} from '../testing/raw-frames.ts';
import { Recorder } from '../testing/recorder.ts';
import { defaultRates, Limits } from './limits.ts';
import { ErrorCode, Flag, FrameType } from './protocol.ts';
import { http2Server } from './server.ts';

const cancel = (id: number) => rawFrame(FrameType.RST_STREAM, 0, id, number32(ErrorCode.CANCEL));
const times = (count: number, bytes: (index: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => bytes(index)));
const ids = (index: number) => 2 * index + 1;

function serve(app: Serve = echo, streamsMax = 100) {
  const [near, far] = linkPair();
  const clock = manualClock();
  const ends: WireFailure[] = [];
  const server = http2Server(near, app, { closed: (failure) => ends.push(failure) }, { clock, streamsMax });
  const peer = new RawPeer(far);
  return { server, peer, clock, ends };
}

const FLOODS: readonly [label: string, bytes: Buffer][] = [
  ['rapid-reset', times(300, (index) => Buffer.concat([post(ids(index)), cancel(ids(index))]))],
  // The server is made to reset the streams itself.
  ['rapid-reset', times(300, (index) => Buffer.concat([post(ids(index)), rawFrame(8, 0, ids(index), number32(0))]))],
  ['rapid-reset', times(300, (index) => headers(ids(index), block({ method: 'GET' })))],
  ['rapid-reset', times(400, (index) => post(ids(index)))],
  ['ping-flood', times(1100, () => rawFrame(FrameType.PING, 0, 0, Buffer.alloc(8)))],
  ['settings-flood', times(200, () => settings())],
  ['empty-data-flood', Buffer.concat([post(1), times(1100, () => rawFrame(FrameType.DATA, 0, 1))])],
  [
    'empty-data-flood',
    Buffer.concat([post(1), times(1100, () => rawFrame(FrameType.DATA, Flag.PADDED, 1, Buffer.alloc(9, 8)))]),
  ],
  ['priority-flood', times(2000, () => rawFrame(FrameType.PRIORITY, 0, 5, Buffer.alloc(5)))],
  ['window-update-flood', Buffer.concat([post(1), times(11_000, () => rawFrame(8, 0, 1, number32(1)))])],
  ['stray-frame-flood', times(3000, () => rawFrame(77, 0, 0, Buffer.alloc(3)))],
  ['continuation-flood', Buffer.concat([headers(1, block(GET), 0), times(100, () => rawFrame(9, 0, 1))])],
  [
    'head-block-bytes',
    Buffer.concat([headers(1, block(GET), 0), times(9, () => rawFrame(9, 0, 1, Buffer.alloc(16_000)))]),
  ],
];

test.each(FLOODS)('%s ends the connection', async (label, bytes) => {
  const { peer, ends, server } = serve(() => new Recorder());
  peer.send(opening(), bytes);
  expect(await peer.errorOf(0)).toBe('ENHANCE_YOUR_CALM');
  await expect.poll(() => ends).toEqual([{ kind: 'limit', reason: label }]);
  expect(server.streamCount).toBe(0);
});

test('no app call survives the reset of its stream', async () => {
  const receivers: Recorder[] = [];
  const { peer, ends } = serve(() => {
    const receiver = new Recorder();
    receivers.push(receiver);
    return receiver;
  });
  peer.send(opening(), FLOODS[0]?.[1] ?? Buffer.alloc(0));
  await expect.poll(() => ends.length).toBe(1);
  expect(receivers.length).toBeLessThanOrEqual(200);
  expect(receivers.every(({ outcomes }) => outcomes.length === 1)).toBe(true);
});

test('the same in more time is no offence', async () => {
  const { peer, clock, ends } = serve();
  peer.send(opening());
  for (let i = 0; i < 5; i++) {
    peer.send(times(900, () => rawFrame(FrameType.PING, 0, 0, Buffer.alloc(8))));
    await expect.poll(() => peer.frames.filter(({ type }) => type === FrameType.PING).length).toBe(900 * (i + 1));
    clock.advance(10_000);
  }
  expect(ends).toEqual([]);
});

test('the clock is looked at once for each full count', () => {
  let looks = 0;
  const clock = { ...manualClock(), elapsed: () => ++looks };
  const limits = new Limits(clock, defaultRates(100));
  for (let i = 0; i < 999; i++) expect(limits.isTooMany('ping-flood')).toBe(false);
  expect(looks).toBe(1);
  expect(limits.isTooMany('ping-flood')).toBe(true);
  expect(looks).toBe(2);
});

test('a peer that asks and does not read is let go', async () => {
  const [near, far] = linkPair({ highWaterBytes: 1000 });
  const clock = manualClock();
  const ends: WireFailure[] = [];
  http2Server(
    near,
    echo,
    { closed: (failure) => ends.push(failure) },
    {
      clock,
      rates: { 'ping-flood': { count: 10 ** 6, withinMs: 1 } },
    },
  );
  far.pause();
  far.listen({ data: () => undefined, drained: () => undefined, ended: () => undefined, closed: () => undefined });
  far.write(opening());
  for (let i = 0; i < 100; i++) far.write(times(1000, () => rawFrame(FrameType.PING, 0, 0, Buffer.alloc(8))));
  await expect.poll(() => clock.waiting().length).toBe(1);
  clock.advance(1000);
  await expect.poll(() => ends).toEqual([{ kind: 'limit', reason: 'backlog-bytes' }]);
});

test('streams beyond the limit are refused, and may be sent again', async () => {
  const { peer, server } = serve(() => new Recorder(), 2);
  peer.send(opening(), get(1), get(3), get(5));
  expect(await peer.errorOf(5)).toBe('REFUSED_STREAM');
  expect(server.streamCount).toBe(2);
});
