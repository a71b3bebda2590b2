// How a server's connection ends without losing a request: GOAWAY in two steps (RFC 9113, 6.8).
import { expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import type { Responder, Serve, WireFailure } from '../message.ts';
import { request } from '../testing/h2c-client.ts';
import { linkPair } from '../testing/link-pair.ts';
import { get, number32, opening, RawPeer, rawFrame } from '../testing/raw-frames.ts';
import { Recorder } from '../testing/recorder.ts';
import { http2Client } from './client.ts';
import { Flag, FrameType } from './protocol.ts';
import { http2Server } from './server.ts';

function serve(options: { readonly raw: boolean }) {
  const [near, far] = linkPair();
  const clock = manualClock();
  const events: string[] = [];
  const ends: WireFailure[] = [];
  const responders: Responder[] = [];
  const app: Serve = (_head, responder) => {
    responders.push(responder);
    return new Recorder();
  };
  const server = http2Server(
    near,
    app,
    { retired: () => events.push('retired'), closed: (failure) => ends.push(failure) },
    { clock },
  );
  return { server, far, clock, events, ends, responders, peer: options.raw ? new RawPeer(far) : undefined };
}

const goaways = (peer: RawPeer) =>
  peer.frames.filter(({ type }) => type === FrameType.GOAWAY).map(({ payload }) => payload.readUInt32BE(0));

test('a request that crossed the first GOAWAY is served, and one after the final GOAWAY is not', async () => {
  const { server, responders, ends, events, clock, peer } = serve({ raw: true });
  if (peer === undefined) return;
  peer.send(opening(), get(1));
  await expect.poll(() => responders.length).toBe(1);
  server.drain();
  server.drain();
  expect(events).toEqual(['retired']);
  const ping = await peer.awaited(FrameType.PING);
  expect(goaways(peer)).toEqual([2 ** 31 - 1]);
  peer.send(get(3), rawFrame(FrameType.PING, Flag.ACK, 0, ping.payload));
  await expect.poll(() => goaways(peer)).toEqual([2 ** 31 - 1, 3]);
  peer.send(
    get(5),
    rawFrame(FrameType.DATA, 0, 5, Buffer.from('a')),
    rawFrame(FrameType.RST_STREAM, 0, 5, number32(8)),
  );
  for (const responder of responders) {
    responder.head({ status: 200, fields: [], bodyBytes: 0 });
    responder.end([]);
  }
  await peer.closed();
  await expect.poll(() => ends).toEqual([{ kind: 'closed', reason: 'drained' }]);
  expect(responders).toHaveLength(2);
  expect(peer.frames.filter(({ type, id }) => type === FrameType.HEADERS && id > 0).map(({ id }) => id)).toEqual([
    1, 3,
  ]);
  expect(clock.waiting()).toEqual([]);
});

test('an idle connection ends with the round trip', async () => {
  const { server, ends, far, clock } = serve({ raw: false });
  const clientEnds: WireFailure[] = [];
  const client = http2Client(far, { closed: (failure) => clientEnds.push(failure) }, { clock });
  const recorder = new Recorder();
  server.drain();
  await expect.poll(() => client.isUsable).toBe(false);
  client.request(request(), recorder);
  expect(recorder.outcomes).toMatchObject([{ kind: 'abort', failure: { kind: 'refused' } }]);
  await expect.poll(() => [...ends, ...clientEnds].map(({ reason }) => reason)).toEqual(['drained', 'drained']);
  expect(clock.waiting()).toEqual([]);
});

test('requests that have not left the process are refused when the connection goes', async () => {
  const { far, clock } = serve({ raw: false });
  const client = http2Client(far, { closed: () => undefined }, { clock });
  const [sent, unsent] = [new Recorder(), new Recorder()];
  client.request(request(), sent);
  await new Promise(setImmediate);
  client.request(request(), unsent);
  client.closed(new Error('cut'));
  expect(sent.outcomes).toMatchObject([{ kind: 'abort', failure: { kind: 'closed', reason: 'cut' } }]);
  expect(unsent.outcomes).toMatchObject([{ kind: 'abort', failure: { kind: 'refused' } }]);
});

test('a far side that does not hang up is cut off after a moment', async () => {
  const { server, ends, far, clock } = serve({ raw: false });
  far.listen({ data: () => undefined, drained: () => undefined, ended: () => undefined, closed: () => undefined });
  far.write(Buffer.from('What is this?'));
  await expect.poll(() => clock.waiting()).toEqual([1000]);
  expect(ends).toEqual([]);
  clock.advance(1000);
  await expect.poll(() => ends).toMatchObject([{ kind: 'malformed' }]);
  expect(server.streamCount).toBe(0);
});

test('a connection that is given up waits for nothing', async () => {
  const { server, clock, ends, peer } = serve({ raw: true });
  peer?.send(opening());
  await peer?.awaited(FrameType.SETTINGS);
  server.destroy({ kind: 'closed', reason: 'enough' });
  expect(clock.waiting()).toEqual([]);
  await expect.poll(() => ends).toEqual([{ kind: 'closed', reason: 'enough' }]);
});
