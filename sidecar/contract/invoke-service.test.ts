// InvokeService: a call that an app makes by gRPC reaches an app that speaks HTTP as any other call would, and its answer comes
// back in one message or in a status.
import { createServer } from 'node:http';
import { status as Code } from '@grpc/grpc-js';
import { afterAll, describe, expect, test } from 'vitest';
import { grpcStatusOfHttp } from '../../api/grpc-status.ts';
import { VERBS } from '../../api/proto/peer.ts';
import { decodeRpcStatus } from '../../api/proto/rpc-status.ts';
import { freePort } from '../../kit/testing/ports.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { DaprClient, type Invoked, invokeMessage } from '../testing/dapr-client.ts';
import { faultOf } from '../testing/grpc-app.ts';
import { gotNames, gotValues, type Pair, pairForAll, send } from './testing.ts';
import { sendHttp2 } from './testing-http2.ts';

let pair: Pair;
let client: DaprClient;
pairForAll((started) => {
  pair = started;
  client = new DaprClient(pair.caller.sidecar.ports.grpc);
});
afterAll(() => client.close());

const seen = () => pair.app.seen[0];
const headOf = ({ head }: Invoked, name: string) => head?.get(name) ?? [];

/** Lets the app answer so, once it has the whole request. */
function answerWith(status: number, headers: Record<string, string>, body: string | Buffer = ''): void {
  pair.app.handler = (request, response) => {
    request.resume().on('end', () => response.writeHead(status, headers).end(body));
  };
}

describe('a call', () => {
  test.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'])('by %s has that verb', async (verb) => {
    const outcome = await client.invoke({ method: 'a/b', verb: VERBS.indexOf(verb) });
    expect([outcome.status.code, seen()?.method, seen()?.url]).toEqual([Code.OK, verb, '/a/b']);
  });

  test.each([0, undefined])('without a verb is a POST (%s)', async (verb) => {
    await client.invoke({ method: 'a', ...(verb !== undefined && { verb }) });
    expect(seen()?.method).toBe('POST');
  });

  test.each([
    ['', '/'],
    ['/', '/'],
    ['/a', '/a'],
    ['a/b/c', '/a/b/c'],
    ['a//b/../c', '/a/c'],
    ['../../a', '/a'],
    ['über', '/%C3%BCber'],
    ['a b"c*d\\e', '/a%20b%22c*d%5Ce'],
    ['50%', '/50%25'],
    ['a%2Fb', '/a%252Fb'],
  ])('of the method %j is for the path %s', async (method, path) => {
    const { response } = await client.invoke({ method, verb: 1 });
    expect([seen()?.url, response?.body.length]).toEqual([path, 0]);
  });

  test('has its query as it was written', async () => {
    await client.invoke({ method: 'a', verb: 1, query: 'x=%2F&y=1&y=?' });
    expect(seen()?.url).toBe('/a?x=%2F&y=1&y=?');
  });

  test.each(['application/json', 'text/plain; charset=utf-8', 'application/x-protobuf'])(
    'and its answer have the content type %s, and their bodies byte for byte',
    async (contentType) => {
      const body = Buffer.from([0, 1, 0xff, 0xfe, 0x0a]);
      const { response } = await client.invoke({ method: 'a', body, contentType });
      expect(gotValues(seen(), 'content-type')).toEqual([contentType]);
      expect(response).toEqual({ body, contentType, typeUrl: '' });
    },
  );

  test('whose data is said to be of some type is protobuf to an app that speaks HTTP, unless the caller says more', async () => {
    await client.invoke({ method: 'a', body: 'x', typeUrl: 'type.googleapis.com/a.B' });
    await client.invoke({ method: 'a', body: 'x', typeUrl: 'type.googleapis.com/a.B', contentType: 'x/y' });
    expect(pair.app.seen.map((request) => gotValues(request, 'content-type'))).toEqual([
      ['application/x-protobuf'],
      ['x/y'],
    ]);
  });

  test('may name its app with the namespace, and may be for the app itself', async () => {
    await client.invoke({ id: 'callee.default', method: 'a' });
    expect(seen()?.url).toBe('/a');
    await client.invoke({ id: 'caller', method: 'b' });
    expect(pair.ownApp.seen[0]?.url).toBe('/b');
    expect(gotValues(pair.ownApp.seen[0], 'dapr-caller-app-id')).toEqual(['caller']);
  });

  test('a hundred at once all come back, each with its own answer', async () => {
    const numbers = Array.from({ length: 100 }, (_, i) => `${i}`);
    const outcomes = await Promise.all(numbers.map((body) => client.invoke({ method: 'a', body })));
    expect(outcomes.map(({ response }) => response?.body.toString())).toEqual(numbers);
  });
});

describe('metadata', () => {
  test('travels as headers; what is about the gRPC call itself does not', async () => {
    const fields = {
      'x-one': '1',
      authorization: 'Bearer abc',
      'x-raw-bin': Buffer.from([1]),
      'dapr-caller-app-id': 'admin',
    };
    await client.invoke({ method: 'a' }, fields);
    expect(gotValues(seen(), 'x-one')).toEqual(['1']);
    expect(gotValues(seen(), 'authorization')).toEqual(['Bearer abc']);
    expect(gotValues(seen(), 'dapr-caller-app-id')).toEqual(['caller']);
    expect(gotValues(seen(), 'dapr-caller-namespace')).toEqual(['default']);
    expect(gotNames(seen()).filter((name) => /^grpc-|-bin$|^te$|^content-type$|api-token/.test(name))).toEqual([]);
  });

  test('has a trace, begun here if the caller has none, which the caller is told', async () => {
    const outcome = await client.invoke({ method: 'a' });
    const [traceparent] = gotValues(seen(), 'traceparent');
    expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(headOf(outcome, 'traceparent')).toEqual([traceparent]);
    const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;
    await client.invoke({ method: 'a' }, { traceparent: given });
    expect(gotValues(pair.app.seen[1], 'traceparent')).toEqual([given]);
  });

  test('of the answer are the headers of the app, but for those that gRPC means something by', async () => {
    answerWith(201, { 'x-one': '1', 'grpc-status': '7', 'grpc-x': 'y', 'x-latin': 'é', 'content-type': 'a/b' }, 'body');
    const outcome = await client.invoke({ method: 'a' });
    expect([outcome.status.code, outcome.response?.body.toString(), outcome.response?.contentType]).toEqual([
      Code.OK,
      'body',
      'a/b',
    ]);
    expect(headOf(outcome, 'x-one')).toEqual(['1']);
    expect(headOf(outcome, 'dapr-http-status')).toEqual(['201']);
    expect([headOf(outcome, 'grpc-x'), headOf(outcome, 'x-latin')]).toEqual([[], []]);
  });

  test('of the answer has no name that gRPC has no letters for, and HTTP has', async () => {
    answerWith(200, { 'x-one': '1', "x-what's!": '2', 'x.two_3': '3' });
    const message = client.encode('InvokeService', invokeMessage({ method: 'a' }));
    const { headers } = await sendHttp2(pair.caller.sidecar.ports.grpc ?? 0, {
      ...{ method: 'POST', path: '/dapr.proto.runtime.v1.Dapr/InvokeService', body: frameMessage(message) },
      headers: ['content-type', 'application/grpc', 'te', 'trailers'],
    });
    const names = headers.filter((_, i) => i % 2 === 0);
    expect(names).toEqual(expect.arrayContaining(['x-one', 'x.two_3']));
    expect(names).not.toContain("x-what's!");
  });
});

describe("the app's own errors", () => {
  test.each([400, 401, 403, 404, 408, 409, 418, 429, 500, 501, 503, 504])(
    '%i has its status, and details',
    async (status) => {
      answerWith(status, { 'x-one': '1' }, `${'why '.repeat(30)}é`);
      const outcome = await client.invoke({ method: 'a' });
      expect(outcome.status.code).toBe(grpcStatusOfHttp(status));
      expect(faultOf(outcome)).toBeUndefined();
      expect([headOf(outcome, 'dapr-http-status'), headOf(outcome, 'x-one')]).toEqual([[String(status)], ['1']]);
      const [bytes] = outcome.status.metadata.get('grpc-status-details-bin');
      const said = decodeRpcStatus(Buffer.from(bytes ?? ''));
      expect(said).toMatchObject({ ok: true, value: { code: outcome.status.code, message: outcome.status.details } });
      const detail = said.ok ? String(said.value.details[0]) : '';
      expect(detail).toContain('type.googleapis.com/google.rpc.ErrorInfo');
      expect(detail).toContain('dapr.io');
      expect(detail).toContain(`http.code\x12\x03${status}`);
      expect(detail).toContain(`http.error_message\x12\x3f${'why '.repeat(15)}why`);
    },
  );

  test('of an unknown method and of an empty one are the answers of the app, and no faults', async () => {
    answerWith(404, {}, 'no such method');
    const unknown = await client.invoke({ method: 'nothing/here' });
    const empty = await client.invoke({ method: '' });
    expect([unknown.status.code, unknown.status.details, faultOf(unknown)]).toEqual([
      Code.NOT_FOUND,
      'Not Found',
      undefined,
    ]);
    expect([empty.status.code, faultOf(empty)]).toEqual([Code.NOT_FOUND, undefined]);
  });

  test('a large one is not held', async () => {
    answerWith(500, {}, Buffer.alloc(8 * 1024 * 1024));
    expect((await client.invoke({ method: 'a' })).status.code).toBe(Code.UNKNOWN);
  });

  test('a redirect is not followed', async () => {
    answerWith(302, { location: '/b' });
    const outcome = await client.invoke({ method: 'a' });
    expect([outcome.status.code, headOf(outcome, 'location'), pair.app.seen.length]).toEqual([Code.UNKNOWN, ['/b'], 1]);
  });
});

describe('a fault', () => {
  test.each([
    ['an app that nobody knows', { id: 'nobody' }, Code.NOT_FOUND, 'unknown-app', /nobody\.default/],
    ['no id', { id: '' }, Code.INVALID_ARGUMENT, 'no-target', /field id/],
    ['a bad id', { id: 'a.b.c' }, Code.INVALID_ARGUMENT, 'bad-request', /app or app\.namespace/],
    ['a query in the method', { method: 'a?b=c' }, Code.INVALID_ARGUMENT, 'bad-request', /querystring/],
    ['a fragment in the method', { method: 'a#b' }, Code.INVALID_ARGUMENT, 'bad-request', /fragment/],
    ['a control byte in the method', { method: 'a\rb' }, Code.INVALID_ARGUMENT, 'bad-request', /control byte/],
    ['a space in the query', { query: 'a b' }, Code.INVALID_ARGUMENT, 'bad-request', /percent-encode/],
    [
      'a line end in the content type',
      { contentType: 'a\r\nb: c' },
      Code.INVALID_ARGUMENT,
      'bad-request',
      /content-type/,
    ],
    ['a verb that is none', { verb: 77 }, Code.INVALID_ARGUMENT, 'bad-request', /77/],
    ['CONNECT', { verb: 6 }, Code.UNIMPLEMENTED, 'method-refused', /CONNECT/],
  ])('%s is told with its word, and what to do', async (_what, call, code, fault, says) => {
    const outcome = await client.invoke(call);
    expect([outcome.status.code, faultOf(outcome)]).toEqual([code, fault]);
    expect(outcome.status.details).toMatch(says);
    expect(pair.app.seen).toEqual([]);
  });

  test('is INTERNAL under --statuses dapr', async () => {
    const dapr = await pair.mesh.start('dapr-like', { config: { statuses: 'dapr' } });
    const other = new DaprClient(dapr.sidecar.ports.grpc);
    for (const call of [{ id: 'nobody' }, { method: 'a?b' }]) {
      const outcome = await other.invoke(call);
      expect(outcome.status.code).toBe(Code.INTERNAL);
      expect(faultOf(outcome)).toBeDefined();
    }
    other.close();
    await dapr.stop();
  });

  test('of a message that is none of this method names what is wrong with it', async () => {
    const { caller } = client;
    const path = '/dapr.proto.runtime.v1.Dapr/InvokeService';
    for (const messages of [[Buffer.from([0x0a, 0x05, 0x61])], [], ['', '']]) {
      const outcome = await caller.call(path, messages);
      expect([outcome.status.code, faultOf(outcome)]).toEqual([
        Code.INVALID_ARGUMENT,
        messages.length === 2 ? 'bad-request' : expect.any(String),
      ]);
    }
  });

  test('while the called app starts says that nothing reached it; then there is an answer', async () => {
    const port = await freePort();
    const app = { port, host: '127.0.0.1', token: undefined };
    const [http, peer] = [await freePort(), await freePort()];
    const fixed = (of: number) => ({ port: of, isFlexible: false });
    const starting = pair.mesh.start('late', { config: { app, httpPort: fixed(http), peerPort: fixed(peer) } });
    while ((await send(http, { path: '/v1.0/healthz/outbound' }).catch(() => undefined))?.status !== 204);
    pair.mesh.point('late', [{ host: '127.0.0.1', port: peer }]);
    const early = await client.invoke({ id: 'late', method: 'a' });
    expect([early.status.code, faultOf(early)]).toEqual([Code.UNAVAILABLE, 'app-unreachable']);
    expect(early.status.details).toMatch(/late\.default does not listen on its app port .* still starting/);
    const late = createServer((_request, response) => response.end('late')).listen(port, '127.0.0.1');
    await starting;
    const { response } = await client.invoke({ id: 'late', method: 'a' });
    expect(response?.body.toString()).toBe('late');
    late.close();
    late.closeAllConnections();
  });
});
