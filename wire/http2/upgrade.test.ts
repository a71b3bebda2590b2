// h2c by Upgrade: the request that asked for it becomes stream 1, and HTTP2-Settings the client's first settings.
import { expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import type { RequestHead, Serve, WireFailure } from '../message.ts';
import { request } from '../testing/h2c-client.ts';
import { linkPair } from '../testing/link-pair.ts';
import { get, opening, RawPeer } from '../testing/raw-frames.ts';
import { Recorder } from '../testing/recorder.ts';
import { FrameType } from './protocol.ts';
import { http2Server } from './server.ts';
import { Setting, writeSettings } from './settings.ts';

function upgrade(settings: Buffer) {
  const [near, far] = linkPair();
  const ends: WireFailure[] = [];
  const heads: RequestHead[] = [];
  const receivers: Recorder[] = [];
  const serve: Serve = (head, responder) => {
    heads.push(head);
    responder.head({ status: 200, fields: [], bodyBytes: undefined });
    responder.data(Buffer.alloc(30));
    responder.end([]);
    const receiver = new Recorder();
    receivers.push(receiver);
    return receiver;
  };
  const upgraded = { request: request({ target: '/upgraded' }), settings };
  http2Server(near, serve, { closed: (failure) => ends.push(failure) }, { clock: manualClock(), upgraded });
  return { peer: new RawPeer(far), ends, heads, receivers };
}

test('the request is answered on stream 1, inside the windows of HTTP2-Settings, and streams follow', async () => {
  const { peer, heads } = upgrade(writeSettings([[Setting.INITIAL_WINDOW_SIZE, 10]]));
  expect((await peer.awaited(FrameType.DATA, 1)).payload.length).toBe(10);
  expect(peer.frames[0]?.type).toBe(FrameType.SETTINGS);
  peer.send(opening(), get(3));
  expect((await peer.awaited(FrameType.DATA, 3)).payload.length).toBe(10);
  expect(heads.map(({ target }) => target)).toEqual(['/upgraded', '/']);
});

test('settings that break a rule end the connection', async () => {
  const { peer, ends } = upgrade(writeSettings([[Setting.ENABLE_PUSH, 2]]));
  await peer.closed();
  await expect.poll(() => ends).toMatchObject([{ kind: 'malformed' }]);
});
