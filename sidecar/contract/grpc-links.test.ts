// gRPC byte by byte: what the app is sent and the caller gets back, frames and all; and what happens when one of the
// connections on the way is lost, full, or speaks something else.
import { once } from 'node:events';
import http2 from 'node:http2';
import { status as Code } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseTimeout } from '../../api/timeout.ts';
import { must } from '../../kit/result.ts';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { h2cClient, request } from '../../wire/testing/h2c-client.ts';
import { Recorder } from '../../wire/testing/recorder.ts';
import { callerOf, faultOf, type GrpcCaller, grpcApp, grpcOn, SERVICE } from '../testing/grpc-app.ts';
import { echo, identityOf, listening, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { answerOf, rawPeer } from '../testing/raw-peer.ts';

type Answer = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;
const UNARY = `${SERVICE}/Unary`;
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

/** As gRPC does it: a head, the messages as they come, a status in the trailers. */
const echoes: Answer = (stream) => {
  stream.respond(GRPC, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.pipe(stream);
};

let mesh: Mesh;
let web: MeshSidecar;
let app: http2.Http2Server;
let caller: GrpcCaller;
let answer: Answer = echoes;
const seen: http2.IncomingHttpHeaders[] = [];

beforeAll(async () => {
  mesh = await startMesh();
  const settings = { maxConcurrentStreams: 100 };
  app = http2.createServer({ settings, maxHeaderListPairs: 200 }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  app.on('stream', (stream, headers) => {
    seen.push(headers);
    stream.on('error', () => undefined);
    answer(stream, headers);
  });
  web = await mesh.start('web');
  await mesh.start('shop', { config: grpcOn({ port: portOf(app) }) });
  caller = callerOf(web, 'shop');
});
afterEach(() => {
  answer = echoes;
  seen.length = 0;
});
afterAll(async () => {
  caller.close();
  await mesh.close();
  app.close();
});

describe('byte by byte', () => {
  let session: http2.ClientHttp2Session;
  beforeAll(() => {
    const limit = { maxSendHeaderBlockLength: 200_000 };
    session = http2.connect(`http://127.0.0.1:${web.sidecar.ports.grpc}`, limit);
  });
  afterAll(() => session.destroy());

  function open(headers: http2.OutgoingHttpHeaders = {}): http2.ClientHttp2Stream {
    const fixed = { ':method': 'POST', ':path': UNARY, 'content-type': 'application/grpc', te: 'trailers' };
    return session.request({ ...fixed, 'dapr-app-id': 'shop', ...headers });
  }

  async function call(headers: http2.OutgoingHttpHeaders = {}) {
    const stream = open(headers);
    const answered = answerOf(stream);
    stream.end(frameMessage(Buffer.from('x')));
    return answered;
  }

  test('the app is sent what belongs to it, and what is left of the time', async () => {
    await call({
      'grpc-timeout': '10S',
      'x-own': 'a',
      'user-agent': 'mine/1',
      'content-type': 'application/grpc+json',
    });
    expect(seen[0]).toMatchObject({
      ':method': 'POST',
      ':path': UNARY,
      ':scheme': 'http',
      ':authority': `127.0.0.1:${portOf(app)}`,
      'content-type': 'application/grpc+json',
      te: 'trailers',
      'user-agent': 'mine/1',
      'x-own': 'a',
    });
    const leftMs = must(parseTimeout(String(seen[0]?.['grpc-timeout'])));
    expect(leftMs).toBeLessThan(10_000);
    expect(leftMs).toBeGreaterThan(0);
    for (const name of ['dapr-app-id', 'invoke-app-id', 'invoke-fault']) expect(seen[0]).not.toHaveProperty(name);
  });

  test('messages arrive as the bytes that they are, compressed or cut in two', async () => {
    const chunks: Buffer[] = [];
    const compressed = Buffer.from([1, 0, 0, 0, 3, 7, 8, 9, 1, 0, 0, 0, 0]);
    const stream = open({ 'grpc-encoding': 'gzip' });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.write(compressed.subarray(0, 3));
    stream.end(compressed.subarray(3));
    await once(stream, 'close');
    expect(Buffer.concat(chunks).equals(compressed)).toBe(true);
    expect(seen[0]).toMatchObject({ 'grpc-encoding': 'gzip' });
  });

  test('a field that no table of compression may keep is marked so on every hop', async () => {
    const secret = (name: string) => ({ [name]: 'secret', [http2.sensitiveHeaders]: [name] });
    answer = (stream) => stream.respond({ ...GRPC, 'grpc-status': '0', ...secret('x-mine') }, { endStream: true });
    const stream = open(secret('x-yours'));
    stream.resume().end();
    const [head] = await once(stream, 'response');
    expect(Reflect.get(seen[0] ?? {}, http2.sensitiveHeaders)).toContain('x-yours');
    expect(Reflect.get(head, http2.sensitiveHeaders)).toContain('x-mine');
  });

  test('an answer that is a status alone stays one frame', async () => {
    answer = (stream) => stream.respond({ ...GRPC, 'grpc-status': '5', 'grpc-message': 'gone' }, { endStream: true });
    const stream = open();
    let trailers: unknown;
    stream.on('trailers', (fields) => {
      trailers = fields;
    });
    stream.resume().end();
    const response = await new Promise<[http2.IncomingHttpHeaders, number]>((got) =>
      stream.once('response', (fields, flags) => got([fields, flags])),
    );
    await once(stream, 'close');
    const [head, flags] = response;
    expect(head).toMatchObject({ 'grpc-status': '5', 'grpc-message': 'gone' });
    expect(flags & http2.constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0);
    expect(trailers).toBeUndefined();
  });

  test('a request that is broken off is never taken for one that has ended', async () => {
    const heard: string[] = [];
    const over = Promise.withResolvers<number | undefined>();
    const began = Promise.withResolvers<void>();
    answer = (stream) => {
      stream.on('data', () => began.resolve());
      stream.on('end', () => heard.push(stream.aborted ? 'aborted' : 'end'));
      stream.on('close', () => over.resolve(stream.rstCode));
    };
    const { connection, closed } = await h2cClient(web.sidecar.ports.grpc ?? 0);
    const fields = ['content-type', 'application/grpc', 'te', 'trailers', 'dapr-app-id', 'shop'];
    const requester = connection.request(request({ method: 'POST', target: UNARY, fields }), new Recorder());
    requester.data(frameMessage(Buffer.from('half')).subarray(0, 7));
    await began.promise;
    requester.cancel({ kind: 'reset', reason: 'enough' });
    expect(await over.promise).toBe(http2.constants.NGHTTP2_CANCEL);
    expect(heard).not.toContain('end');
    connection.destroy({ kind: 'closed', reason: 'the test is over' });
    await closed;
  });

  test.each([
    ['of another content type', { 'content-type': 'application/json' }, 415],
    ['of gRPC-Web', { 'content-type': 'application/grpc-web+proto' }, 415],
    ['without a content type', { 'content-type': undefined }, 415],
    ['with a head that is too large', { 'x-large': 'x'.repeat(60_000), 'x-larger': 'x'.repeat(10_000) }, 431],
  ])('a request %s is no call', async (_, headers, status) => {
    expect((await call(headers)).status).toBe(status);
    expect(seen).toEqual([]);
  });

  test.each([
    ['by another name of this machine', { ':authority': 'evil.test' }, '7', 'origin-refused'],
    ['from a page of another site', { 'sec-fetch-site': 'cross-site' }, '7', 'origin-refused'],
    ['with another verb', { ':method': 'PUT' }, '12', 'method-refused'],
  ])('a call %s is refused in the head of its answer', async (_, headers, status, fault) => {
    const refused = await call(headers);
    expect(refused.status).toBe(200);
    expect(refused.trailers).toMatchObject({ 'grpc-status': status, 'invoke-fault': fault });
    expect(seen).toEqual([]);
  });

  test('as much metadata as an app may send passes both sidecars', async () => {
    const many = Object.fromEntries(Array.from({ length: 124 }, (_, i) => [`x-${i}`, 'y'.repeat(400)]));
    expect((await call(many)).trailers).toMatchObject({ 'grpc-status': '0' });
    expect(seen[0]).toMatchObject(many);
  });
});

describe('an app', () => {
  test.each<[string, Answer]>([
    ['a page', (stream) => stream.respond({ ':status': 503, 'content-type': 'text/html' }, { endStream: true })],
    ['another content type', (stream) => stream.respond({ ':status': 200 }, { endStream: true })],
    [
      'no status',
      (stream) => {
        stream.respond(GRPC);
        stream.end();
      },
    ],
    [
      'another content type and a status',
      (stream) =>
        stream.respond({ ':status': 200, 'content-type': 'text/html', 'grpc-status': '0' }, { endStream: true }),
    ],
    ['a reset', (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)],
  ])('that answers with %s may have seen the call: INTERNAL, once', async (_, odd) => {
    answer = odd;
    const outcome = await caller.call('Unary', ['x']);
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.INTERNAL, 'app-broke']);
    expect(seen).toHaveLength(1);
  });

  test('that says much of what it answers with fails its own call, and not those beside it', async () => {
    const go = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    answer = (stream, headers) => {
      began.resolve();
      void go.promise.then(() => echoes(stream, headers));
    };
    const beside = caller.call('Unary', ['beside']);
    await began.promise;
    answer = (stream) => stream.respond({ ':status': 200, 'content-type': '%'.repeat(30_000) }, { endStream: true });
    const outcome = await caller.call('Unary', ['x']);
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.INTERNAL, 'app-broke']);
    go.resolve();
    expect((await beside).messages.map(String)).toEqual(['beside']);
  });

  test('that takes no large metadata gets none, and every other call on its connection goes on', async () => {
    const strict = http2.createServer({ settings: { maxHeaderListSize: 8192 } }).listen(0, '127.0.0.1');
    await once(strict, 'listening');
    const held: (() => void)[] = [];
    strict.on('stream', (stream, headers) => held.push(() => echoes(stream, headers)));
    const sidecar = await mesh.start('strict', { config: grpcOn({ port: portOf(strict) }) });
    const client = callerOf(web, 'strict');
    const beside = client.call('Unary', ['beside']);
    await expect.poll(() => held.length).toBe(1);
    const outcome = await client.call('Unary', ['x'], client.metadata({ 'x-large': 'x'.repeat(8192) }));
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.RESOURCE_EXHAUSTED, 'headers-too-large']);
    for (const go of held) go();
    expect((await beside).messages.map(String)).toEqual(['beside']);
    expect(held).toHaveLength(1);
    client.close();
    await sidecar.stop();
    strict.close();
  });

  test('that refuses a stream has not seen it: the call is sent again', async () => {
    answer = (stream, headers) => {
      if (seen.length === 1) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      else echoes(stream, headers);
    };
    const outcome = await caller.call('Unary', ['again']);
    expect(outcome.status.code).toBe(Code.OK);
    expect(outcome.messages.map(String)).toEqual(['again']);
    expect(seen).toHaveLength(2);
  });

  test('that takes 100 streams on a connection gets the 150 that are open at once on two', async () => {
    const open = new Set<http2.Http2Session | undefined>();
    const held: (() => void)[] = [];
    answer = (stream, headers) => {
      open.add(stream.session);
      held.push(() => echoes(stream, headers));
      if (held.length === 150) for (const go of held) go();
    };
    const outcomes = await Promise.all(Array.from({ length: 150 }, (_, i) => caller.call('Unary', [`${i}`])));
    expect(outcomes.flatMap(({ messages }) => messages.map(String))).toEqual(outcomes.map((_, i) => `${i}`));
    expect(open.size).toBe(2);
  });

  test('that drains its connection gets the next call on a new one', async () => {
    const other = await grpcApp();
    const sidecar = await mesh.start('restarting', { config: grpcOn(other) });
    const client = callerOf(web, 'restarting');
    for (let i = 0; i < 4; i++) {
      expect((await client.call('Unary', [`${i}`])).status.code).toBe(Code.OK);
      other.drain();
    }
    expect(other.seen).toHaveLength(4);
    client.close();
    await sidecar.stop();
    other.close();
  });

  test('that does not listen, or speaks HTTP/1.1 alone: UNAVAILABLE, and why', async () => {
    const plain = await listening(echo);
    const sidecar = await mesh.start('odd', { config: grpcOn({ port: portOf(plain) }) });
    const client = callerOf(web, 'odd');
    for (const words of ['does not speak HTTP/2', 'does not listen']) {
      const outcome = await client.call('Unary', ['x']);
      expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.UNAVAILABLE, 'app-unreachable']);
      expect(outcome.status.details).toContain(words);
      plain.closeAllConnections();
      plain.close();
    }
    client.close();
    await sidecar.stop();
  });
});

describe('an instance', () => {
  test('that is dead, without its app, or draining is passed over, messages and all', async () => {
    const live = await mesh.start('many', { config: grpcOn({ port: portOf(app) }) });
    const appless = await mesh.start('many', { config: { app: { ...grpcOn({ port: 0 }).app, port: undefined } } });
    const draining = await mesh.start('many', { config: grpcOn({ port: portOf(app) }) });
    const at = ({ sidecar }: MeshSidecar) => ({ host: '127.0.0.1', port: sidecar.ports.peer });
    const client = callerOf(web, 'many');
    mesh.point('many', [at(draining)]);
    await client.call('Unary', ['it has a connection now']);
    mesh.point('many', [at(appless), at(draining), { host: '127.0.0.1', port: await freePort() }, at(live)]);
    draining.sidecar.drain();
    for (let i = 0; i < 8; i++) {
      const outcome = await client.call('Unary', [`${i}`]);
      expect([outcome.status.code, outcome.messages.map(String)]).toEqual([Code.OK, [`${i}`]]);
    }
    expect(seen).toHaveLength(9);
    client.close();
    for (const sidecar of [live, appless, draining]) await sidecar.stop();
  });
});

test('a sidecar that stops lets the calls under way finish, and tells its apps to come to an end', async () => {
  const leaving = await mesh.start('leaving');
  const client = callerOf(leaving, 'shop');
  const go = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  answer = (stream, headers) => {
    began.resolve();
    void go.promise.then(() => echoes(stream, headers));
  };
  const outcome = client.call('Unary', ['last']);
  await began.promise;
  leaving.sidecar.stop();
  const late = await client.call('Unary', ['too late']);
  expect([late.status.code, faultOf(late)]).toEqual([Code.UNAVAILABLE, 'draining']);
  go.resolve();
  expect((await outcome).messages.map(String)).toEqual(['last']);
  expect(await leaving.stop()).toBe(0);
  client.close();
});

describe('a peer', () => {
  test('calls the app, under the name in its certificate and under no other', async () => {
    const shop = await mesh.start('open', { config: grpcOn({ port: portOf(app) }) });
    const peer = await rawPeer(shop.sidecar.ports.peer, mesh.ca.issue(identityOf('dapr-web')));
    const claims = {
      'dapr-app-id': 'open',
      'dapr-caller-app-id': 'admin',
      'invoke-caller-id': 'spiffe://x/ns/y/admin',
    };
    const answered = await peer.call([Buffer.from('hi')], UNARY, claims);
    expect(answered.messages.map(String)).toEqual(['hi']);
    expect(answered.trailers).toMatchObject({ 'grpc-status': '0' });
    expect(seen[0]).toMatchObject({ 'dapr-caller-app-id': 'dapr-web', 'dapr-callee-app-id': 'open' });
    expect(JSON.stringify(seen[0])).not.toContain('admin');

    for (const path of ['/dapr.proto.runtime.v1.AppCallback/OnInvoke', `${SERVICE}/..`, `${SERVICE}%2FUnary`]) {
      const refused = await peer.call([Buffer.from('hi')], path);
      expect(refused.trailers).toMatchObject({ 'grpc-status': '12', 'invoke-fault': 'unimplemented' });
    }
    expect(seen).toHaveLength(1);
    peer.close();
    await shop.stop();
  });

  test('that is a Dapr sidecar is told which app is called, and by whom; what it refuses to look at is sent again', async () => {
    const told = Promise.withResolvers<http2.IncomingHttpHeaders>();
    const { svid, anchors } = mesh.ca.issue(identityOf('dapr-shop'));
    const dapr = http2.createSecureServer({
      ...{ key: svid.keyPem, cert: svid.chainPem, ca: [...anchors] },
      ...{ requestCert: true, minVersion: 'TLSv1.3' as const },
    });
    let calls = 0;
    dapr.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      calls++;
      if (calls === 1) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      else echoes(stream, headers);
      told.resolve(headers);
    });
    dapr.listen(0, '127.0.0.1');
    await once(dapr, 'listening');
    mesh.point('dapr-shop', [{ host: '127.0.0.1', port: portOf(dapr) }]);
    const client = callerOf(web, 'dapr-shop');
    expect((await client.call('Unary', ['x'])).status).toMatchObject({ code: Code.OK });
    expect(await told.promise).toMatchObject({
      ':path': UNARY,
      'dapr-app-id': 'dapr-shop',
      'dapr-caller-app-id': 'web',
      'dapr-callee-app-id': 'dapr-shop',
    });
    expect(calls).toBe(2);
    client.close();
    dapr.close();
  });
});
