// What breaks a rule of RFC 9113, as bare frames: the error that the far side is told, and that nothing is left behind.
import { expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import type { RequestHead, ResponseHead, WireFailure } from '../message.ts';
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
import { http2Client } from './client.ts';
import { Flag, FrameType } from './protocol.ts';
import { http2Server } from './server.ts';

const { END_HEADERS, END_STREAM, PADDED, PRIORITY, ACK } = Flag;
const bytes = (count: number) => Buffer.alloc(count);
const request = (fields: readonly string[]) => headers(1, block(GET, fields), END_HEADERS | END_STREAM);
const pseudo = (fields: object) => headers(1, block({ ...GET, ...fields }), END_HEADERS | END_STREAM);
/** Literal without indexing, as it stands. */
const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
/** GET, http and /, by their places in the static table. */
const STATIC_GET = Buffer.from([0x82, 0x86, 0x84]);
const withLiteral = (name: string, value: string) =>
  headers(1, Buffer.concat([block(GET), literal(name, value)]), END_HEADERS | END_STREAM);

/** What a client sends after its preface and SETTINGS, and what the server says: the stream (0: all), the code. */
const OF_CLIENTS: readonly [section: string, frames: Buffer[], id: number, code: string][] = [
  ['4.2 a frame beyond the largest', [rawFrame(FrameType.PING, 0, 0, bytes(16_385))], 0, 'FRAME_SIZE_ERROR'],
  [
    '4.3 a header block that is none',
    [headers(1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
    0,
    'COMPRESSION_ERROR',
  ],
  ['5.1 DATA of an idle stream', [rawFrame(FrameType.DATA, 0, 1, bytes(1))], 0, 'PROTOCOL_ERROR'],
  ['5.1 RST_STREAM of an idle stream', [rawFrame(FrameType.RST_STREAM, 0, 1, number32(8))], 0, 'PROTOCOL_ERROR'],
  ['5.1 WINDOW_UPDATE of an idle stream', [rawFrame(FrameType.WINDOW_UPDATE, 0, 1, number32(8))], 0, 'PROTOCOL_ERROR'],
  ['5.1 DATA after the end', [get(1), rawFrame(FrameType.DATA, 0, 1, bytes(1))], 1, 'STREAM_CLOSED'],
  ['5.1 HEADERS after the end and the answer', [get(1), get(3), get(1)], 0, 'STREAM_CLOSED'],
  ['5.1.1 a stream of even number', [get(2)], 0, 'PROTOCOL_ERROR'],
  ['5.1.1 streams in falling order', [get(5), get(3)], 0, 'STREAM_CLOSED'],
  ['6.1 DATA of the connection', [rawFrame(FrameType.DATA, 0, 0, bytes(1))], 0, 'PROTOCOL_ERROR'],
  [
    '6.1 more padding than payload',
    [post(1), rawFrame(FrameType.DATA, PADDED, 1, Buffer.from([9, 0]))],
    0,
    'PROTOCOL_ERROR',
  ],
  ['6.1 padding without its length', [post(1), rawFrame(FrameType.DATA, PADDED, 1)], 0, 'FRAME_SIZE_ERROR'],
  ['6.2 HEADERS of the connection', [get(0)], 0, 'PROTOCOL_ERROR'],
  ['6.2 more padding than block', [headers(1, Buffer.from([9, 0]), PADDED | END_HEADERS)], 0, 'PROTOCOL_ERROR'],
  ['6.2 a priority that is cut short', [headers(1, bytes(4), PRIORITY | END_HEADERS)], 0, 'FRAME_SIZE_ERROR'],
  ['6.3 PRIORITY of 4 bytes', [rawFrame(FrameType.PRIORITY, 0, 1, bytes(4))], 0, 'FRAME_SIZE_ERROR'],
  ['6.4 RST_STREAM of 5 bytes', [get(1), rawFrame(FrameType.RST_STREAM, 0, 1, bytes(5))], 0, 'FRAME_SIZE_ERROR'],
  ['6.5 SETTINGS of a stream', [rawFrame(FrameType.SETTINGS, 0, 1)], 0, 'PROTOCOL_ERROR'],
  ['6.5 SETTINGS of 5 bytes', [rawFrame(FrameType.SETTINGS, 0, 0, bytes(5))], 0, 'FRAME_SIZE_ERROR'],
  [
    '6.5 an acknowledgement that says something',
    [rawFrame(FrameType.SETTINGS, ACK, 0, bytes(6))],
    0,
    'FRAME_SIZE_ERROR',
  ],
  [
    '6.5.2 ENABLE_PUSH of 2',
    [rawFrame(FrameType.SETTINGS, 0, 0, Buffer.from([0, 2, 0, 0, 0, 2]))],
    0,
    'PROTOCOL_ERROR',
  ],
  [
    '6.5.2 a window of 2^31',
    [rawFrame(FrameType.SETTINGS, 0, 0, Buffer.from([0, 4, 128, 0, 0, 0]))],
    0,
    'FLOW_CONTROL_ERROR',
  ],
  [
    '6.5.2 frames of 16383',
    [rawFrame(FrameType.SETTINGS, 0, 0, Buffer.from([0, 5, 0, 0, 63, 255]))],
    0,
    'PROTOCOL_ERROR',
  ],
  ['6.6 PUSH_PROMISE', [post(1), rawFrame(FrameType.PUSH_PROMISE, END_HEADERS, 1, number32(2))], 0, 'PROTOCOL_ERROR'],
  ['6.7 PING of a stream', [rawFrame(FrameType.PING, 0, 1, bytes(8))], 0, 'PROTOCOL_ERROR'],
  ['6.7 PING of 7 bytes', [rawFrame(FrameType.PING, 0, 0, bytes(7))], 0, 'FRAME_SIZE_ERROR'],
  ['6.8 GOAWAY of a stream', [rawFrame(FrameType.GOAWAY, 0, 1, bytes(8))], 0, 'PROTOCOL_ERROR'],
  ['6.8 GOAWAY of 7 bytes', [rawFrame(FrameType.GOAWAY, 0, 0, bytes(7))], 0, 'FRAME_SIZE_ERROR'],
  ['6.9 credit of nothing, connection', [rawFrame(FrameType.WINDOW_UPDATE, 0, 0, number32(0))], 0, 'PROTOCOL_ERROR'],
  [
    '6.9 credit of nothing, stream',
    [post(1), rawFrame(FrameType.WINDOW_UPDATE, 0, 1, number32(0))],
    1,
    'PROTOCOL_ERROR',
  ],
  ['6.9 WINDOW_UPDATE of 3 bytes', [rawFrame(FrameType.WINDOW_UPDATE, 0, 0, bytes(3))], 0, 'FRAME_SIZE_ERROR'],
  [
    '6.9.1 a window beyond 2^31',
    [rawFrame(FrameType.WINDOW_UPDATE, 0, 0, number32(2 ** 31 - 1))],
    0,
    'FLOW_CONTROL_ERROR',
  ],
  [
    '6.9.1 the same of a stream',
    [post(1), rawFrame(FrameType.WINDOW_UPDATE, 0, 1, number32(2 ** 31 - 1))],
    1,
    'FLOW_CONTROL_ERROR',
  ],
  ['6.10 CONTINUATION of nothing', [rawFrame(FrameType.CONTINUATION, END_HEADERS, 1)], 0, 'PROTOCOL_ERROR'],
  [
    '6.10 CONTINUATION of another stream',
    [headers(1, block(GET), 0), rawFrame(FrameType.CONTINUATION, END_HEADERS, 3)],
    0,
    'PROTOCOL_ERROR',
  ],
  ['6.10 DATA amid a block', [headers(1, block(GET), 0), rawFrame(FrameType.DATA, 0, 1)], 0, 'PROTOCOL_ERROR'],
  ['6.10 an unknown frame amid a block', [headers(1, block(GET), 0), rawFrame(99, 0, 1)], 0, 'PROTOCOL_ERROR'],
  ['8.1 a second head', [post(1), post(1)], 1, 'PROTOCOL_ERROR'],
  ['8.1 a pseudo-header field in trailers', [post(1), get(1)], 1, 'PROTOCOL_ERROR'],
  [
    '8.1.1 less body than declared',
    [post(1, ['content-length', '2']), rawFrame(FrameType.DATA, END_STREAM, 1, bytes(1))],
    1,
    'PROTOCOL_ERROR',
  ],
  [
    '8.1.1 more body than declared',
    [post(1, ['content-length', '2']), rawFrame(FrameType.DATA, 0, 1, bytes(3))],
    1,
    'PROTOCOL_ERROR',
  ],
  ['8.1.1 a declared body that is none', [request(['content-length', '2'])], 1, 'PROTOCOL_ERROR'],
  ['8.1.1 two lengths', [request(['content-length', '0', 'content-length', '0'])], 1, 'PROTOCOL_ERROR'],
  ['8.1.1 a length with a sign', [request(['content-length', '+0'])], 1, 'PROTOCOL_ERROR'],
  ['8.2.1 a name in upper case', [withLiteral('Name', 'a')], 1, 'PROTOCOL_ERROR'],
  ['8.2.1 a name with a colon', [withLiteral('a:b', 'a')], 1, 'PROTOCOL_ERROR'],
  ['8.2.1 a line break in a value', [withLiteral('name', 'a\r\nb: c')], 1, 'PROTOCOL_ERROR'],
  ['8.2.1 a zero in a value', [withLiteral('name', 'a\0')], 1, 'PROTOCOL_ERROR'],
  ['8.2.1 a blank in front of a value', [withLiteral('name', ' a')], 1, 'PROTOCOL_ERROR'],
  ['8.2.2 Connection', [request(['connection', 'close'])], 1, 'PROTOCOL_ERROR'],
  ['8.2.2 Transfer-Encoding', [request(['transfer-encoding', 'chunked'])], 1, 'PROTOCOL_ERROR'],
  ['8.2.2 Upgrade', [request(['upgrade', 'websocket'])], 1, 'PROTOCOL_ERROR'],
  ['8.2.2 Keep-Alive', [request(['keep-alive', '1'])], 1, 'PROTOCOL_ERROR'],
  ['8.2.2 Proxy-Connection', [request(['proxy-connection', 'close'])], 1, 'PROTOCOL_ERROR'],
  ['8.2.2 TE of something else', [request(['te', 'trailers, deflate'])], 1, 'PROTOCOL_ERROR'],
  [
    '8.2.2 Connection in trailers',
    [post(1), headers(1, block({}, ['connection', 'a']), END_HEADERS | END_STREAM)],
    1,
    'PROTOCOL_ERROR',
  ],
  ['8.3 an unknown pseudo-header field', [withLiteral(':what', 'a')], 1, 'PROTOCOL_ERROR'],
  [
    '8.3 a pseudo-header field after a field',
    [headers(1, Buffer.concat([literal('a', 'b'), STATIC_GET]))],
    1,
    'PROTOCOL_ERROR',
  ],
  ['8.3 a pseudo-header field twice', [withLiteral(':path', '/')], 1, 'PROTOCOL_ERROR'],
  ['8.3 :status in a request', [pseudo({ status: '200' })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 no :method', [pseudo({ method: undefined })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 no :scheme', [pseudo({ scheme: undefined })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 no :path', [pseudo({ path: undefined })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 an empty :path', [pseudo({ path: '' })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 a :path that begins otherwise', [pseudo({ path: 'a' })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 a :path of two words', [pseudo({ path: '/a HTTP/1.1' })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 a :path with a fragment', [pseudo({ path: '/a#b' })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 a :method of two words', [pseudo({ method: 'GET /' })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 user info in :authority', [pseudo({ authority: 'me@a' })], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 a Host of another name', [request(['host', 'b'])], 1, 'PROTOCOL_ERROR'],
  ['8.3.1 two Hosts', [request(['host', 'a', 'host', 'a'])], 1, 'PROTOCOL_ERROR'],
  ['8.5 CONNECT with a :path', [pseudo({ method: 'CONNECT' })], 1, 'PROTOCOL_ERROR'],
  ['8.5 CONNECT without :authority', [headers(1, block({ method: 'CONNECT' }))], 1, 'PROTOCOL_ERROR'],
  ['RFC 8441 :protocol of a GET', [pseudo({ protocol: 'websocket' })], 1, 'PROTOCOL_ERROR'],
];

test.each(OF_CLIENTS)('a server does not accept: %s', async (_section, frames, id, code) => {
  const [near, far] = linkPair();
  const events = { closed: () => undefined };
  const server = http2Server(near, echo, events, { clock: systemClock, streamsMax: 10 });
  const peer = new RawPeer(far);
  peer.send(opening(), ...frames);
  expect(await peer.errorOf(id)).toBe(code);
  server.destroy({ kind: 'closed', reason: 'the test is over' });
  expect(server.streamCount).toBe(0);
});

const ask: RequestHead = {
  method: 'GET',
  target: '/',
  authority: 'a',
  scheme: 'http',
  fields: [],
  bodyBytes: 0,
  upgrade: undefined,
  expectsContinue: false,
};
const response = (fields: object, flags: number = END_HEADERS) => headers(1, block(fields), flags);
const ok200 = response({ status: '200' });

/** What a server sends to a client that has sent a request on stream 1. */
const OF_SERVERS: readonly [section: string, frames: Buffer[], id: number, code: string][] = [
  ['3.4 another frame before SETTINGS', [rawFrame(FrameType.PING, 0, 0, bytes(8))], 0, 'PROTOCOL_ERROR'],
  ['5.1 HEADERS of an idle stream', [settings(), headers(3, block({ status: '200' }))], 0, 'PROTOCOL_ERROR'],
  ['5.1.1 a stream of even number', [settings(), headers(2, block({ status: '200' }))], 0, 'PROTOCOL_ERROR'],
  [
    '6.6 PUSH_PROMISE',
    [settings(), rawFrame(FrameType.PUSH_PROMISE, END_HEADERS, 1, number32(2))],
    0,
    'PROTOCOL_ERROR',
  ],
  ['8.1 DATA before a head', [settings(), rawFrame(FrameType.DATA, 0, 1, bytes(1))], 1, 'PROTOCOL_ERROR'],
  ['8.1 a second head', [settings(), ok200, ok200], 1, 'PROTOCOL_ERROR'],
  ['8.1 an end with 103', [settings(), response({ status: '103' }, END_HEADERS | END_STREAM)], 1, 'PROTOCOL_ERROR'],
  ['8.3.2 no :status', [settings(), response({})], 1, 'PROTOCOL_ERROR'],
  ['8.3.2 a :status of two digits', [settings(), response({ status: '20' })], 1, 'PROTOCOL_ERROR'],
  ['8.3.2 :path in a response', [settings(), response({ status: '200', path: '/' })], 1, 'PROTOCOL_ERROR'],
  ['8.6 a 101', [settings(), response({ status: '101' })], 1, 'PROTOCOL_ERROR'],
  [
    'RFC 8441 SETTINGS that take extended CONNECT back',
    [rawFrame(FrameType.SETTINGS, 0, 0, Buffer.from([0, 8, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0]))],
    0,
    'PROTOCOL_ERROR',
  ],
  [
    '9110 6.4.1 a body of 204',
    [settings(), response({ status: '204' }), rawFrame(FrameType.DATA, 0, 1, bytes(1))],
    1,
    'PROTOCOL_ERROR',
  ],
];

test.each(OF_SERVERS)('a client does not accept: %s', async (_section, frames, id, code) => {
  const [near, far] = linkPair();
  const client = http2Client(near, { closed: () => undefined }, { clock: systemClock });
  const peer = new RawPeer(far, true);
  const recorder = new Recorder();
  client.request(ask, recorder);
  await peer.awaited(FrameType.HEADERS);
  peer.send(...frames);
  expect(await peer.errorOf(id)).toBe(code);
  expect(await recorder.outcome()).toMatchObject({ kind: 'abort', failure: { kind: 'malformed' } });
  client.destroy({ kind: 'closed', reason: 'the test is over' });
  expect(recorder.outcomes).toHaveLength(1);
  expect(client.streamCount).toBe(0);
});

test('a server does not go on with a client that speaks another protocol', async () => {
  const [near, far] = linkPair();
  const ends: WireFailure[] = [];
  http2Server(near, echo, { closed: (failure) => ends.push(failure) }, { clock: systemClock });
  const peer = new RawPeer(far);
  peer.send(Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
  expect(await peer.errorOf(0)).toBe('PROTOCOL_ERROR');
  await peer.closed();
  await expect.poll(() => ends).toMatchObject([{ kind: 'malformed' }]);
});

test('a server does not accept: 6.9.1 DATA beyond the window of a stream whose receiver has paused', async () => {
  const [near, far] = linkPair();
  const receiver = new Recorder().pauseAll();
  const server = http2Server(near, () => receiver, { closed: () => undefined }, { clock: systemClock });
  const peer = new RawPeer(far);
  peer.send(opening(), post(1), ...Array(5).fill(rawFrame(FrameType.DATA, 0, 1, bytes(16_384))));
  peer.send(post(3), rawFrame(FrameType.DATA, 0, 1, bytes(1)));
  expect(await peer.errorOf(1)).toBe('FLOW_CONTROL_ERROR');
  expect(receiver.outcomes).toMatchObject([{ kind: 'abort', failure: { kind: 'malformed' } }]);
  expect(receiver.bytes).toBe(16_384);
  expect(server.streamCount).toBe(1);
});

test('an app whose fields would break the message ends its stream alone, and hears why', async () => {
  const [near, far] = linkPair();
  const receiver = new Recorder();
  const head: ResponseHead = { status: 200, fields: ['a', 'b\r\nc: d'], bodyBytes: undefined };
  http2Server(
    near,
    (_request, responder) => {
      setImmediate(() => responder.head(head));
      return receiver;
    },
    { closed: () => undefined },
    { clock: systemClock },
  );
  const peer = new RawPeer(far);
  peer.send(opening(), post(1));
  expect(await peer.errorOf(1)).toBe('INTERNAL_ERROR');
  expect(receiver.outcomes).toEqual([{ kind: 'cancel', failure: { kind: 'malformed', reason: 'field-value' } }]);
  peer.send(rawFrame(FrameType.PING, 0, 0, bytes(8)));
  expect((await peer.awaited(FrameType.PING)).flags).toBe(ACK);
});
