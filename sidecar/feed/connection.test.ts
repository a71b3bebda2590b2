// One connection to the operator: whatever is at the other end does, the connection ends once, says why, and leaves nothing.
import { createServer, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import { encodeFeedMessage } from '../../api/proto/feed.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { serverContext } from '../../identity/tls.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { ErrorCode, Flag, FrameType } from '../../wire/http2/protocol.ts';
import type { Fields } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';
import { block, headers, number32, RawPeer, rawFrame, settings } from '../../wire/testing/raw-frames.ts';
import { FeedConnection } from './connection.ts';
import { configMessage } from './testing-operator.ts';

const ca = throwawayCa();
const operator = must(parseSpiffeId('spiffe://cluster.local/ns/invoke-system/invoke-operator'));
const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));

/** A connection to something that says these frames, once it was greeted. */
async function connectTo(...said: readonly Buffer[]) {
  const server = createServer({ ...serverContext(ca.issue(operator)), allowHalfOpen: true });
  const accepted = new Promise<TLSSocket>((done) => void server.once('secureConnection', done));
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  onTestFinished(() => new Promise<void>((done) => void server.close(() => done())));
  const clock = manualClock();
  const [ends, epochs]: [string[], number[]] = [[], []];
  const connection = new FeedConnection({
    ...{ address: { host: '127.0.0.1', port: portOf(server) }, operator, credentials: ca.issue(web), clock },
    greeting: () => ({ interest: [] }),
    random: () => 0.5,
    message: ({ epoch }) => epochs.push(epoch),
    retire: () => undefined,
    ended: (reason) => ends.push(reason),
  });
  const peer = new RawPeer(socketLink(await accepted), true);
  await peer.awaited(FrameType.DATA, 1);
  peer.send(...said);
  return {
    ...{ clock, connection, peer, epochs },
    async heard(epoch: number) {
      await expect.poll(() => epochs.at(-1)).toBe(epoch);
    },
    /** Its one end, with which the connection and all timers are gone. */
    async end() {
      await expect.poll(() => ends.length).toBe(1);
      await peer.closed();
      expect(clock.waiting()).toEqual([]);
      expect(ends).toHaveLength(1);
      return ends[0]?.replace(/:\d+ /, ':… ');
    },
  };
}

const grpc = (status: string, fields: Fields = [], flags = 0) =>
  headers(1, block({ status }, ['content-type', 'application/grpc', ...fields]), Flag.END_HEADERS | flags);
const config = (epoch: number) =>
  rawFrame(FrameType.DATA, 0, 1, frameMessage(encodeFeedMessage(configMessage(ca.anchors, { epoch }))));
const trailers = (...fields: readonly string[]) => headers(1, block({}, fields), Flag.END_HEADERS | Flag.END_STREAM);
const goaway = (lastId: number, code: number) =>
  rawFrame(FrameType.GOAWAY, 0, 0, Buffer.concat([number32(lastId), number32(code)]));

const opened = [settings(), grpc('200'), config(1)];
const brokeOff = (why: string) => `the operator's feed at 127.0.0.1:… broke off: ${why}`;

test.each<[string, readonly Buffer[], string]>([
  [
    'refuses at once',
    [settings(), grpc('200', ['grpc-status', '8', 'grpc-message', 'full%21'], Flag.END_STREAM)],
    'full! (grpc-status 8)',
  ],
  ['ends the stream', [...opened, trailers('grpc-status', '14')], 'it gave no reason (grpc-status 14)'],
  ['ends it without a status', [...opened, trailers('x', 'y')], 'it answered 200 without a grpc-status'],
  ['is no operator', [settings(), grpc('502')], 'it answered 502 without a grpc-status'],
  [
    'resets the stream',
    [...opened, rawFrame(FrameType.RST_STREAM, 0, 1, number32(ErrorCode.INTERNAL_ERROR))],
    'it gave the call up with RST_STREAM with INTERNAL_ERROR',
  ],
  [
    'goes away before it looks',
    [settings(), goaway(0, ErrorCode.ENHANCE_YOUR_CALM)],
    'it gave the call up with GOAWAY with ENHANCE_YOUR_CALM',
  ],
  ['sends no settings first', [grpc('200')], 'it does not speak HTTP/2 as it should: another frame before SETTINGS'],
])('an operator that %s has ended the connection', async (_what, said, why) => {
  const { end } = await connectTo(...said);
  expect(await end()).toBe(brokeOff(why));
});

test('an operator that is about to go is heard until it ends the stream', async () => {
  const { peer, heard, end } = await connectTo(...opened, goaway(1, ErrorCode.NO_ERROR));
  await heard(1);
  peer.send(config(2));
  await heard(2);
  peer.send(trailers('grpc-status', '14', 'grpc-message', 'stopping'));
  expect(await end()).toBe(brokeOff('stopping (grpc-status 14)'));
});

test.each<[string, readonly Buffer[]]>([
  ['not even its settings', []],
  ['its settings alone', [settings()]],
])('an operator that says %s is left when it answers no ping', async (_what, said) => {
  const { clock, end } = await connectTo(...said);
  clock.advance(15_000);
  expect(await end()).toBe(brokeOff('it stopped answering pings'));
});

test('an operator that answers pings and tells nothing is left after 20 s', async () => {
  const { clock, peer, end } = await connectTo(settings(), grpc('200'));
  clock.advance(10_000);
  const { payload } = await peer.awaited(FrameType.PING);
  peer.send(rawFrame(FrameType.PING, Flag.ACK, 0, payload), config(1).subarray(0, 20));
  await expect.poll(() => clock.waiting()).not.toContain(5000);
  clock.advance(10_000);
  expect(await end()).toBe(brokeOff('it says nothing'));
});

test('a connection that was closed says nothing more, and hears nothing', async () => {
  const { clock, connection, peer, heard, epochs } = await connectTo(...opened);
  await heard(1);
  connection.close();
  connection.close();
  connection.send({ interest: [] });
  peer.send(config(2));
  await peer.closed();
  expect(clock.waiting()).toEqual([]);
  expect(epochs).toEqual([1]);
});
