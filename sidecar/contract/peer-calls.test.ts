// What a sidecar promises to a peer: the contract's two methods, in the contract's messages, and nothing on trust.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RequestHeadMessage } from '../../api/proto/peer.ts';
import { decodeReply, decodeUnaryReply } from '../../api/proto/peer-decoding.ts';
import { encodeRequest, encodeUnaryRequest } from '../../api/proto/peer-encoding.ts';
import { joined } from '../../api/proto/testing-schema.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { CALL_LOCAL, CALL_LOCAL_STREAM } from '../link/messages.ts';
import { echo, identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { answerOf, type RawPeer, rawPeer } from '../testing/raw-peer.ts';

let mesh: Mesh;
let orders: MeshSidecar;
let peer: RawPeer;
let seen = 0;

beforeAll(async () => {
  mesh = await startMesh();
  orders = await mesh.start('orders', {
    handler: (request, response) => {
      seen++;
      echo(request, response);
    },
  });
  peer = await rawPeer(orders.sidecar.ports.peer, mesh.ca.issue(identityOf('dapr-web')));
});
beforeEach(() => {
  seen = 0;
});
afterAll(async () => {
  peer.close();
  await mesh.close();
});

const HEAD: RequestHeadMessage = {
  verb: 'POST',
  path: '/items/7',
  isCanonicalPath: false,
  query: 'a=1&b=%20',
  headers: ['content-type', 'text/plain', 'x-one', '1', 'x-one', '2'],
};

function message(head: Partial<RequestHeadMessage> | undefined, text?: string, seq = 0): Buffer {
  const data = text === undefined ? undefined : Buffer.from(text);
  return joined(encodeRequest({ head: head && { ...HEAD, ...head }, data, seq, trailers: [] }));
}

function trailers(...fields: readonly string[]): Buffer {
  return joined(encodeRequest({ head: undefined, data: undefined, seq: 0, trailers: fields }));
}

test('a stream in pieces is one call, and its answer comes as a stream', async () => {
  const answer = await peer.call([message({}, 'one '), message(undefined, 'two ', 1), message(undefined, 'three', 2)]);
  const replies = answer.messages.map((bytes) => must(decodeReply(bytes)));
  expect(replies[0]?.head?.status).toBe(200);
  const pieces = replies.filter((reply) => reply.data !== undefined);
  expect(pieces.map((piece) => piece.data?.toString()).join('')).toBe('one two three');
  expect(pieces.map((piece) => piece.seq)).toEqual(pieces.map((_, i) => i));
  expect(answer.trailers['grpc-status']).toBe('0');
});

test('a unary call is the same call in one message', async () => {
  const answer = await peer.call([encodeUnaryRequest(HEAD, Buffer.from('whole'))], CALL_LOCAL);
  const { head, body } = must(decodeUnaryReply(answer.messages[0] ?? Buffer.alloc(0)));
  expect(head.status).toBe(200);
  expect(head.headers).toContain('/items/7?a=1&b=%20');
  expect(body.toString()).toBe('whole');
  expect(answer.trailers['grpc-status']).toBe('0');
});

test('the app is told who calls by the certificate, whatever the message claims', async () => {
  const headers = [
    'dapr-caller-app-id',
    'admin',
    'Dapr_Caller_App_Id',
    'admin',
    'invoke-caller-id',
    'spiffe://x/ns/y/admin',
  ];
  const answer = await peer.call([message({ headers })]);
  const reply = must(decodeReply(answer.messages[0] ?? Buffer.alloc(0)));
  const at = reply.head?.headers.indexOf('x-raw-headers') ?? -1;
  const raw: string[] = JSON.parse(Buffer.from(reply.head?.headers[at + 1] ?? '', 'base64').toString());
  expect(raw).not.toContain('admin');
  expect(raw[raw.indexOf('dapr-caller-app-id') + 1]).toBe('dapr-web');
  expect(raw[raw.indexOf('invoke-caller-id') + 1]).toBe('spiffe://test.local/ns/default/dapr-web');
});

test('a path that a Dapr sidecar decoded is encoded again before it is judged and sent', async () => {
  const answer = await peer.call([message({ path: '/50%/a b/"q"', query: '' })]);
  const reply = must(decodeReply(answer.messages[0] ?? Buffer.alloc(0)));
  expect(reply.head?.headers).toContain('/50%25/a%20b/%22q%22');
});

test.each([
  ['a stream that begins with a piece', [message(undefined, 'x')]],
  ['a second head', [message({}), message({})]],
  ['a piece out of order', [message({}, 'x', 0), message(undefined, 'y', 2)]],
  ['bytes that are no message', [Buffer.from([0xff, 0xff, 0xff])]],
  ['nothing at all', []],
  ['a header value with a line of its own', [message({ headers: ['x-a', 'b\r\nx-evil: 1'] })]],
  ['a header name with a space', [message({ headers: ['x a', 'b'] })]],
  ['a query with a space', [message({ query: 'a b' })]],
  ['CONNECT', [message({ verb: 'CONNECT' })]],
  ['a verb with a line of its own', [message({ verb: 'GET / HTTP/1.1\r\n' })]],
  ['a path with a control byte', [message({ path: '/a\u0001b' })]],
  ['a canonical path that hides a dot segment', [message({ path: '/a%2F..%2Fb', isCanonicalPath: true })]],
  ['a trailer with a line of its own', [message({}, 'x'), trailers('x-t', 'a\r\nx-evil: 1')]],
  ['a trailer with no name', [message({}, 'x'), trailers('', 'a')]],
  ['more fields than any app sends', [message({ headers: Array.from({ length: 400 }, (_, i) => `x-${i >> 1}`) })]],
])('%s is refused as InvalidArgument', async (_, messages) => {
  const answer = await peer.call(messages);
  expect(answer.trailers).toMatchObject({ 'grpc-status': '3', 'invoke-fault': 'bad-request' });
});

test('a body that is not as long as its head says never becomes a whole request', async () => {
  for (const text of ['12345', '123']) {
    const answer = await peer.call([message({ headers: ['content-length', '4'] }, text)]);
    expect(answer.trailers['invoke-fault']).toBe('bad-request');
  }
});

test('a compressed message and one of 4 GiB are refused by their first bytes', async () => {
  for (const [prefix, fault] of [
    [Buffer.from([1, 0, 0, 0, 1, 0]), 'unimplemented'],
    [Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), 'body-too-large'],
  ] as const) {
    const stream = peer.open();
    const answered = answerOf(stream);
    stream.end(prefix);
    expect((await answered).trailers['invoke-fault']).toBe(fault);
  }
});

test('any other method is unknown here, and nothing reaches the app', async () => {
  for (const path of ['/dapr.proto.internals.v1.ServiceInvocation/CallActor', '/grpc.health.v1.Health/Check', '/x']) {
    const answer = await peer.call([frameMessage(Buffer.alloc(0))], path);
    expect(answer.trailers).toMatchObject({ 'grpc-status': '12', 'invoke-fault': 'unimplemented' });
  }
  const plain = await peer.call([], CALL_LOCAL_STREAM, { 'content-type': 'application/json' });
  expect(plain.status).toBe(415);
  expect(seen).toBe(0);
});

test('a peer that resets its stream cancels the call at the app', async () => {
  const aborted = Promise.withResolvers<void>();
  const slow = await mesh.start('slow', {
    handler: (request) => {
      request.on('close', () => aborted.resolve());
      stream.close(8);
    },
  });
  const other = await rawPeer(slow.sidecar.ports.peer, mesh.ca.issue(identityOf('web')));
  const stream = other.open();
  stream.on('error', () => undefined);
  stream.write(frameMessage(message({}, 'first piece')));
  await aborted.promise;
  other.close();
});

test('a path as large as no head may be is refused before it is looked at', async () => {
  const answer = await peer.call([message({ path: `/${'a/'.repeat(40_000)}` })]);
  expect(answer.trailers['invoke-fault']).toBe('headers-too-large');
});

test('a peer that begins more than it finishes is refused beyond 32 MiB, and others are served on', async () => {
  const greedy = await rawPeer(orders.sidecar.ports.peer, mesh.ca.issue(identityOf('greedy')));
  const begun = Buffer.concat([Buffer.from([0, 0, 0x0f, 0xff, 0xff]), Buffer.alloc(1_000_000)]);
  const refusals = Array.from({ length: 40 }, () => {
    const stream = greedy.open();
    stream.write(begun);
    return new Promise((refused) => stream.once('response', refused));
  });
  expect(await Promise.race(refusals)).toMatchObject({ 'invoke-fault': 'body-too-large' });
  expect((await peer.call([message({}, 'me too')])).trailers['grpc-status']).toBe('0');
  greedy.close();
});

test('a stream that never says what it calls is not waited for', async () => {
  const clock = manualClock();
  const patient = await mesh.start('patient', { handler: echo, clock });
  const mute = await rawPeer(patient.sidecar.ports.peer, mesh.ca.issue(identityOf('web')));
  const stream = mute.open();
  const answered = answerOf(stream);
  // What follows on the connection shows that the stream has been seen.
  expect((await mute.call([message({}, 'x')])).trailers['grpc-status']).toBe('0');
  clock.advance(10_000);
  stream.once('response', () => stream.end());
  expect((await answered).trailers['invoke-fault']).toBe('timeout');
  mute.close();
});
