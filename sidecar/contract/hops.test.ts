// Chains of calls are counted, so that a circle ends: over HTTP, over WebSocket, over gRPC and by InvokeService. The apps here pass on
// all that they are told, as proxies and tracing libraries do.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { status as Code, type sendUnaryData } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { portOf } from '../../kit/testing/ports.ts';
import { DaprClient } from '../testing/dapr-client.ts';
import {
  callerOf,
  ECHO,
  faultOf,
  type GrpcApp,
  type GrpcCaller,
  grpcApp,
  grpcOn,
  type Unary,
} from '../testing/grpc-app.ts';
import { listening, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { asking } from '../testing/talking-app.ts';
import { WebSocketApp } from '../testing/web-socket-app.ts';
import { expectFault, gotValues, headerOf, parseRaw, RawClient, ScriptedApp, send, to } from './testing.ts';

const HOPS = 'invoke-hops';
const MAX = 5;
const config = { hopsMax: MAX };

let mesh: Mesh;
let web: MeshSidecar;
const app = new ScriptedApp();

beforeAll(async () => {
  mesh = await startMesh();
  web = await mesh.start('web', { config });
  await mesh.start('shop', { handler: app.listener });
});
afterEach(() => app.reset());
afterAll(() => mesh.close());

const call = (headers: readonly string[] = []) => send(web.sidecar.ports.http, { path: to('shop', '/x'), headers });
const heard = () => app.seen.map((request) => gotValues(request, HOPS));

describe('an app is told how many calls led to it', () => {
  test('one, if its caller says nothing', async () => {
    await call();
    expect(heard()).toEqual([['1']]);
  });

  test('one more than its caller was told', async () => {
    for (const said of ['1', '3', '4']) await call([HOPS, said]);
    expect(heard()).toEqual([['2'], ['4'], ['5']]);
  });

  test('and not by spellings that some servers take for the same, nor are callers told by answers', async () => {
    app.handler = (_request, response) => void response.writeHead(200, { [HOPS]: '3' }).end();
    const answer = await call(['invoke_hops', '4', 'Invoke.Hops', '4']);
    expect(heard()).toEqual([['1']]);
    expect(gotValues(app.seen[0], 'invoke_hops')).toEqual([]);
    expect(headerOf(answer, HOPS)).toBeUndefined();
  });
});

describe('what a caller makes up', () => {
  test.each(['5', '6', '255', '999'])('%s is too many, and nothing is sent', async (said) => {
    const message = expectFault(await call([HOPS, said]), 'loop');
    expect(message).toMatch(/--max-hops 5.*nothing was sent/);
    expect(app.seen).toEqual([]);
  });

  test.each(['0', '-1', '01', '1.5', '1e1', '0x1', ' ', 'one', '1000', '1, 1'])('%j is no count', async (said) => {
    expect(expectFault(await call([HOPS, said]), 'bad-request')).toContain(HOPS);
    expect(app.seen).toEqual([]);
  });

  test('two of them are none', async () => {
    expectFault(await call([HOPS, '1', 'Invoke-Hops', '1']), 'bad-request');
  });
});

describe('a circle ends', () => {
  /** Calls that app through the sidecar of its own, with all that it was told itself. */
  const passingOn =
    (own: () => MeshSidecar, other: string) => async (request: IncomingMessage, out: ServerResponse) => {
      const { host: _host, connection: _connection, ...headers } = request.headers;
      const fields = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
      const answer = await send(own().sidecar.ports.http, { path: to(other, request.url), headers: fields });
      out.writeHead(answer.status).end(answer.body);
    };

  test('of apps that call one another, after as many calls as may be', async () => {
    let [ping, pong]: MeshSidecar[] = [];
    const counts = { ping: 0, pong: 0 };
    const counted =
      (name: 'ping' | 'pong', on: ReturnType<typeof passingOn>) => (request: IncomingMessage, out: ServerResponse) => {
        counts[name]++;
        void on(request, out);
      };
    const own = (one: MeshSidecar | undefined) => one ?? web;
    ping = await mesh.start('ping', {
      config,
      handler: counted(
        'ping',
        passingOn(() => own(ping), 'pong'),
      ),
    });
    pong = await mesh.start('pong', {
      config,
      handler: counted(
        'pong',
        passingOn(() => own(pong), 'ping'),
      ),
    });
    const answer = await send(web.sidecar.ports.http, { path: to('ping', '/x') });
    expect(answer.status).toBe(508);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ details: { fault: 'loop' } });
    expect(counts).toEqual({ ping: 3, pong: 2 });
  });

  test('of a sidecar whose app port leads to its own API', async () => {
    // The port is known once it listens, so somebody stands between the two.
    let port = 0;
    let calls = 0;
    const relay = await listening(async (request, response) => {
      calls++;
      const answer = await send(port, { path: request.url ?? '', headers: request.rawHeaders.slice(2) });
      response.writeHead(answer.status).end(answer.body);
    });
    const self = await mesh.start('self', {
      config: { ...config, app: { port: portOf(relay), host: '127.0.0.1', token: undefined } },
    });
    port = self.sidecar.ports.http;
    const authorization = `Basic ${Buffer.from('dapr-app-id:self').toString('base64')}`;
    const answer = await send(port, { path: '/x', headers: ['authorization', authorization] });
    expect(answer.status).toBe(508);
    expect(calls).toBe(MAX);
    relay.close();
  });
});

describe('over WebSocket', () => {
  /** A handshake by the sidecar of `from`; the answer to it, or its beginning if it is agreed to. */
  async function handshake({ sidecar }: MeshSidecar, name: string, hops?: string) {
    const client = await RawClient.connect(sidecar.ports.http);
    const said = hops === undefined ? [] : [`${HOPS}: ${hops}`];
    client.write(asking(to(name), 'websocket', ...said));
    const answer = await client.until(/^HTTP\/1.1 101 .*\r\n\r\n|\}\s*$/s);
    client.socket.destroy();
    return parseRaw(answer);
  }

  async function webSocketApp(name: string) {
    const sidecar = await mesh.start(name, { config, handler: app.listener });
    if (sidecar.app === undefined) throw new Error('it has an app');
    return { sidecar, app: new WebSocketApp(sidecar.app) };
  }

  test('an app is told how many led to it, and a caller that makes up too many is refused', async () => {
    const chat = await webSocketApp('chat');
    const told: string[][] = [];
    chat.app.onOpen = ({ request }) => void told.push(gotValues(request, HOPS));
    for (const said of [undefined, '1', '4']) expect((await handshake(web, 'chat', said)).status).toBe(101);
    expect(told).toEqual([['1'], ['2'], ['5']]);
    expect(expectFault(await handshake(web, 'chat', '5'), 'loop')).toContain('nothing was sent');
    expectFault(await handshake(web, 'chat', 'many'), 'bad-request');
    expect(told).toHaveLength(3);
  });

  test.each([
    ['another', 'ring', () => web],
    ['oneself', 'ring-alone', undefined],
  ])('a circle that begins at %s ends', async (_who, name, begins) => {
    const { sidecar: ring, app: speaking } = await webSocketApp(name);
    const counts: string[] = [];
    speaking.instead = async ({ headers }, stream) => {
      counts.push(String(headers[HOPS]));
      const { status, body } = await handshake(ring, name, String(headers[HOPS]));
      stream.end(`HTTP/1.1 ${status} No\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
    };
    const answer = await handshake(begins?.() ?? ring, name);
    expect([answer.status, JSON.parse(answer.body.toString()).details]).toEqual([508, { fault: 'loop' }]);
    expect(counts).toEqual(['1', '2', '3', '4', '5']);
  });
});

describe('over gRPC', () => {
  let grpc: GrpcApp;
  let caller: GrpcCaller;
  let dapr: DaprClient;
  beforeAll(async () => {
    grpc = await grpcApp();
    const orders = await mesh.start('orders', { config: { ...config, ...grpcOn(grpc) } });
    caller = callerOf(orders, 'orders');
    dapr = new DaprClient(web.sidecar.ports.grpc);
  });
  afterEach(() => {
    grpc.behaviour = { ...ECHO };
    grpc.seen.length = 0;
  });
  afterAll(() => {
    caller.close();
    dapr.close();
    grpc.close();
  });

  test('a circle ends', async () => {
    grpc.behaviour.unary = async (request: Unary, done: sendUnaryData<Buffer>) => {
      const metadata = caller.metadata({ [HOPS]: String(request.metadata.get(HOPS)[0]) });
      const { status, messages } = await caller.call('Unary', [request.request], metadata);
      done(status.code === Code.OK ? null : status, messages[0] ?? null);
    };
    const { status } = await caller.call('Unary', ['x']);
    expect(status.code).toBe(Code.FAILED_PRECONDITION);
    expect(grpc.seen.map((metadata) => metadata.get(HOPS))).toEqual([['1'], ['2'], ['3'], ['4'], ['5']]);
  });

  test('a caller that makes it up is refused, and nothing is sent', async () => {
    const long = await caller.call('Unary', ['x'], caller.metadata({ [HOPS]: '5' }));
    expect([long.status.code, faultOf(long)]).toEqual([Code.FAILED_PRECONDITION, 'loop']);
    const none = await caller.call('Unary', ['x'], caller.metadata({ [HOPS]: 'many' }));
    expect([none.status.code, faultOf(none)]).toEqual([Code.INVALID_ARGUMENT, 'bad-request']);
    expect(grpc.seen).toEqual([]);
  });

  test('InvokeService counts as well', async () => {
    await dapr.invoke({ id: 'shop', method: 'x', verb: 1 }, { [HOPS]: '3' });
    expect(heard()).toEqual([['4']]);
    const refused = await dapr.invoke({ id: 'shop', method: 'x', verb: 1 }, { [HOPS]: '5' });
    expect(refused.status.code).toBe(Code.FAILED_PRECONDITION);
    expect(app.seen).toHaveLength(1);
  });
});
