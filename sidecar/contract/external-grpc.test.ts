// Native gRPC calls to what has no sidecar: whom the metadata may name, what the service is sent, and what the caller gets back.
import { once } from 'node:events';
import http2 from 'node:http2';
import { status as Code, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { freePort, portOf, silentServer } from '../../kit/testing/ports.ts';
import {
  callerOf,
  conversation,
  faultOf,
  type GrpcApp,
  type GrpcCaller,
  grpcApp,
  type Outcome,
  outcomeOf,
  SERVICE,
} from '../testing/grpc-app.ts';
import { echo, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { endpoint, type OutsideOptions, outside, plainService } from '../testing/outside.ts';
import { send } from './testing.ts';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.close());

let callers = 0;

async function sidecarWith(options: OutsideOptions, config = {}): Promise<MeshSidecar> {
  callers++;
  return mesh.start(`caller-${callers}`, { config: { outside: outside(options), ...config } });
}

function calling(sidecar: MeshSidecar, target: string): GrpcCaller {
  const caller = callerOf(sidecar, target);
  onTestFinished(() => caller.close());
  return caller;
}

/** As its callers name it. */
const local = (port: number) => ({ url: `http://localhost:${port}`, allowed: [`localhost:${port}`] });

/** A service, by grpc-js, and a sidecar that may call it by URL. */
async function served(options: OutsideOptions = {}, config = {}) {
  const service: GrpcApp = await grpcApp();
  onTestFinished(() => service.close());
  const { url, allowed } = local(service.port);
  const sidecar = await sidecarWith({ allowed, ...options }, config);
  return { service, sidecar, url, caller: calling(sidecar, url) };
}

type Answer = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const OK: Answer = (stream) => stream.respond({ ...GRPC, 'grpc-status': '0' }, { endStream: true });

/** A service that says exactly what the test wants, frame by frame. */
async function raw(answer: Answer, settings: http2.Settings = {}) {
  const seen: http2.IncomingHttpHeaders[] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer({ settings }).listen(0, '127.0.0.1');
  server.on('session', (session) => sessions.add(session.on('close', () => sessions.delete(session))));
  server.on('stream', (stream, headers) => {
    seen.push(headers);
    stream.on('error', () => undefined);
    answer(stream, headers);
  });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: portOf(server), seen, sessions, ...local(portOf(server)) };
}

const text = ({ messages }: Outcome) => messages.map(String);
const told = (outcome: Outcome) => [outcome.status.code, faultOf(outcome)];

describe('a URL in the metadata', () => {
  test.each([
    ['Unary', ['hello'], ['hello']],
    ['Upload', ['one ', 'two ', 'three'], ['one two three']],
    ['Download', ['abc'], ['a', 'b', 'c']],
    ['Duplex', ['one', 'two', ''], ['one', 'two', '']],
  ])('is called, in a call of the kind %s', async (kind, sent, expected) => {
    const { caller } = await served();
    const outcome = await caller.call(kind, sent);
    expect([outcome.status.code, text(outcome)]).toEqual([Code.OK, expected]);
  });

  test('may stand under invoke-app-id, and be an address', async () => {
    const { service } = await served();
    const sidecar = await sidecarWith({ allowed: [`127.0.0.1:${service.port}`] });
    const other = callerOf(sidecar, undefined);
    onTestFinished(() => other.close());
    const metadata = other.metadata({ 'invoke-app-id': `http://127.0.0.1:${service.port}` });
    expect(text(await other.call('Unary', ['x'], metadata))).toEqual(['x']);
  });

  test('that is none is refused with words, and so is a method of a sidecar', async () => {
    const { sidecar, caller, service } = await served();
    const odd = await calling(sidecar, 'http://0x7f.1').call('Unary', ['x']);
    expect(told(odd)).toEqual([Code.INVALID_ARGUMENT, 'bad-request']);
    expect(odd.status.details).toContain('no IPv4 address');
    for (const path of [
      '/dapr.proto.runtime.v1.AppCallback/OnInvoke',
      '/invoke.v1.Peer/Tunnel',
      '/grpc.health.v2.X/Y',
    ]) {
      expect(told(await caller.call(path, ['x']))).toEqual([Code.UNIMPLEMENTED, 'unimplemented']);
    }
    expect(service.seen).toEqual([]);
  });
});

describe('what the service is sent', () => {
  test('the caller’s own metadata, and nothing of the mesh', async () => {
    const { port, seen, url, allowed } = await raw(OK);
    const app = { port: undefined, host: '127.0.0.1', token: 'app-secret' };
    const sidecar = await sidecarWith({ allowed }, { apiToken: 'api-secret', app });
    const caller = calling(sidecar, url);
    const fields = {
      'dapr-api-token': 'api-secret',
      'dapr-caller-app-id': 'me',
      invoke_caller_id: 'me',
      'x-mine': '1',
    };
    const metadata = caller.metadata({ ...fields, authorization: 'Bearer mine', 'x-raw-bin': Buffer.from([0, 255]) });
    const outcome = await caller.call('Unary', ['x'], metadata, { deadline: Date.now() + 10_000 });
    expect(outcome.status.code).toBe(Code.OK);
    const { 'user-agent': agent, 'grpc-timeout': timeout, traceparent, ...others } = seen[0] ?? {};
    expect([agent, timeout, traceparent]).toEqual([
      expect.stringMatching(/^grpc-node/),
      expect.any(String),
      expect.any(String),
    ]);
    expect(others).toEqual({
      ':method': 'POST',
      ':path': `${SERVICE}/Unary`,
      ':scheme': 'http',
      ':authority': `localhost:${port}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      'accept-encoding': 'identity',
      'grpc-accept-encoding': 'identity,deflate,gzip',
      'x-mine': '1',
      authorization: 'Bearer mine',
      'x-raw-bin': 'AP8=',
      [http2.sensitiveHeaders]: ['authorization'],
    });
  });

  test('no more time than is left, and the end of a call that is over or given up', async () => {
    const heard: string[] = [];
    const over = Promise.withResolvers<void>();
    const { url, allowed, seen } = await raw((stream) => {
      stream.on('close', () => {
        heard.push(`closed ${stream.rstCode}`);
        if (heard.length === 2) over.resolve();
      });
    });
    const caller = calling(await sidecarWith({ allowed }), url);
    // On a busy machine a short time is over before the call is there.
    for (let timeoutMs = 100; seen.length === 0; timeoutMs *= 2) {
      const late = await caller.call('Unary', ['x'], undefined, { deadline: Date.now() + timeoutMs });
      expect(late.status.code).toBe(Code.DEADLINE_EXCEEDED);
    }
    const stream = caller.open('Duplex');
    const outcome = outcomeOf(stream);
    stream.write(Buffer.from('x'));
    await expect.poll(() => seen.length).toBe(2);
    stream.cancel();
    expect((await outcome).status.code).toBe(Code.CANCELLED);
    await over.promise;
    expect(heard).toEqual(['closed 8', 'closed 8']);
  });
});

describe('the answer', () => {
  test('is the service’s own: metadata, status, message, details', async () => {
    const { service, caller } = await served();
    const details = Buffer.from([8, 5, 18, 4, 103, 111, 110, 101]);
    service.behaviour.unary = (call, done) => {
      const head = new Metadata();
      head.set('x-head', 'first');
      head.set('invoke-fault', 'denied');
      call.sendMetadata(head);
      const metadata = new Metadata();
      metadata.set('grpc-status-details-bin', details);
      metadata.set('invoke-fault', 'denied');
      done({ code: Code.NOT_FOUND, details: 'no such order: 100% gone, ü', metadata });
    };
    const outcome = await caller.call('Unary', ['x']);
    expect([...told(outcome), outcome.status.details]).toEqual([
      Code.NOT_FOUND,
      undefined,
      'no such order: 100% gone, ü',
    ]);
    expect(outcome.head?.get('x-head')).toEqual(['first']);
    expect(outcome.status.metadata.get('grpc-status-details-bin')).toEqual([details]);
  });

  test('comes word by word, each heard before the next is said', async () => {
    const { caller } = await served();
    const { outcome, heard } = await conversation(caller, 20);
    expect(outcome.status.code).toBe(Code.OK);
    expect(heard).toEqual(Array.from({ length: 20 }, (_, i) => `word ${i}`));
  });

  test('may be large; a message to the service may not', async () => {
    const { service, caller } = await served();
    service.behaviour.unary = (call, done) => done(null, Buffer.alloc(8 * 1024 * 1024, call.request));
    expect((await caller.call('Unary', ['x'])).messages[0]?.length).toBe(8 * 1024 * 1024);
    const refused = await caller.call('Upload', [Buffer.alloc(4 * 1024 * 1024 + 1)]);
    expect(told(refused)).toEqual([Code.RESOURCE_EXHAUSTED, 'body-too-large']);
  });

  test('is counted as of any gRPC call, under one label for all URLs', async () => {
    const { service, sidecar, caller } = await served();
    service.behaviour.unary = (_call, done) => done({ code: Code.NOT_FOUND });
    await caller.call('Unary', ['x']);
    const page = (await send(sidecar.sidecar.ports.metrics ?? 0, { path: '/metrics' })).body.toString();
    expect(page).toContain('invoke_grpc_requests_total{direction="outbound",peer="external",grpc_status="5"} 1');
    expect(page).toContain('invoke_requests_total{direction="outbound",peer="external",status="200",fault=""} 1');
    expect(page).not.toContain('localhost');
  });
});

describe('connections', () => {
  test('are shared by all calls at once, and there are more when their streams run out', async () => {
    const held: (() => void)[] = [];
    const { url, allowed, sessions } = await raw(
      (stream, headers) => {
        held.push(() => OK(stream, headers));
        if (held.length === 25) for (const go of held) go();
      },
      { maxConcurrentStreams: 10 },
    );
    const caller = calling(await sidecarWith({ allowed }), url);
    const outcomes = await Promise.all(Array.from({ length: 25 }, () => caller.call('Unary', ['x'])));
    expect([new Set(outcomes.map(({ status }) => status.code)), sessions.size]).toEqual([new Set([Code.OK]), 3]);
  });

  test('that the service closes in order lose no call, and a stream that it refused is asked for again', async () => {
    const { url, allowed, seen } = await raw((stream, headers) => {
      if (seen.length === 1) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      else OK(stream, headers);
      if (seen.length > 1) stream.session?.goaway();
    });
    const caller = calling(await sidecarWith({ allowed }), url);
    for (let i = 0; i < 4; i++) expect((await caller.call('Unary', ['x'])).status.code).toBe(Code.OK);
    expect(seen).toHaveLength(5);
  });

  test('go within a minute once nobody uses them, and come again when somebody does', async () => {
    const clock = manualClock();
    const { url, allowed, sessions } = await raw(OK);
    callers++;
    const sidecar = await mesh.start(`caller-${callers}`, { config: { outside: outside({ allowed }) }, clock });
    const caller = calling(sidecar, url);
    for (let time = 0; time < 2; time++) {
      expect((await caller.call('Unary', ['x'])).status.code).toBe(Code.OK);
      expect(sessions.size).toBe(1);
      clock.advance(60_000);
      await expect.poll(() => sessions.size).toBe(0);
    }
  });

  test('that refuse every stream are given up, and the caller may come back', async () => {
    const { url, allowed, seen } = await raw((stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM));
    const caller = calling(await sidecarWith({ allowed }), url);
    expect(told(await caller.call('Unary', ['x']))).toEqual([Code.UNAVAILABLE, 'external-closing']);
    expect(seen).toHaveLength(5);
  });
});

describe('what goes wrong is a status and a fault:', () => {
  test.each<[string, Answer]>([
    ['a page', (stream) => stream.respond({ ':status': 503, 'content-type': 'text/html' }, { endStream: true })],
    [
      'no status',
      (stream) => {
        stream.respond(GRPC);
        stream.end();
      },
    ],
    ['a reset', (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)],
    ['a broken connection', (stream) => stream.session?.destroy()],
  ])('%s in answer', async (_what, odd) => {
    const { url, allowed, seen } = await raw(odd);
    const outcome = await calling(await sidecarWith({ allowed }), url).call('Unary', ['x']);
    expect([...told(outcome), seen.length]).toEqual([Code.UNAVAILABLE, 'external-broke', 1]);
    expect(outcome.status.details).toContain(url);
  });

  test('nobody there, or nobody who speaks HTTP/2', async () => {
    const [nobody, http1] = [await freePort(), await plainService(echo)];
    for (const [port, words] of [
      [nobody, 'cannot be reached on port'],
      [http1, 'does not speak HTTP/2'],
    ] as const) {
      const { url, allowed } = local(port);
      const outcome = await calling(await sidecarWith({ allowed }), url).call('Unary', ['x']);
      expect(told(outcome)).toEqual([Code.UNAVAILABLE, 'external-unreachable']);
      expect(outcome.status.details).toContain(words);
    }
  });

  test('the time is over while nobody answers', async () => {
    const mute = await silentServer();
    onTestFinished(() => void mute.close());
    const { url, allowed } = local(portOf(mute));
    const caller = calling(await sidecarWith({ allowed }), url);
    const outcome = await caller.call('Unary', ['x'], undefined, { deadline: Date.now() + 100 });
    expect(outcome.status.code).toBe(Code.DEADLINE_EXCEEDED);
  });
});

describe('who may be called is as over HTTP:', () => {
  test('not this machine unless it is listed, nor in a cluster what nobody has named', async () => {
    const { service, url } = await served();
    for (const options of [{}, { arePublicHostsAllowed: false }]) {
      const outcome = await calling(await sidecarWith(options), url).call('Unary', ['x']);
      expect(told(outcome)).toEqual([Code.PERMISSION_DENIED, 'denied']);
      expect(outcome.status.details).toContain('<advice>');
    }
    expect(service.seen).toEqual([]);
  });

  test('not a name that leads to where nobody may go', async () => {
    const { service } = await served();
    const sidecar = await mesh.start('misled', {
      config: { outside: outside({ allowed: [`api.example.com:${service.port}`] }) },
      lookUp: (_host, done) => queueMicrotask(() => done(null, ['169.254.169.254', '::ffff:127.0.0.1'])),
    });
    const outcome = await calling(sidecar, `http://api.example.com:${service.port}`).call('Unary', ['x']);
    expect(told(outcome)).toEqual([Code.PERMISSION_DENIED, 'denied']);
    expect(outcome.status.details).toContain('a metadata service');
  });
});

describe('a named endpoint', () => {
  test('stands for its URL, with its headers in place of the caller’s, kept out of every table', async () => {
    const { port, seen, allowed } = await raw(OK);
    const headers = [
      { name: 'Authorization', value: 'Bearer ours' },
      { name: 'x-env', envRef: 'BANK_ID' },
      { name: 'content-type', value: 'application/json' },
      { name: 'grpc-timeout', value: '1n' },
    ];
    const bank = endpoint('bank', { baseUrl: `http://localhost:${port}/`, headers });
    const sidecar = await sidecarWith({ allowed, endpoints: [bank], env: { BANK_ID: '7' } });
    const caller = calling(sidecar, 'bank');
    const metadata = caller.metadata({ authorization: 'Bearer stolen', 'x-other': 'kept' });
    expect((await caller.call('Unary', ['x'], metadata)).status.code).toBe(Code.OK);
    expect(seen[0]).toMatchObject({ authorization: 'Bearer ours', 'x-env': '7', 'x-other': 'kept' });
    expect(seen[0]).toMatchObject({ 'content-type': 'application/grpc', ':path': `${SERVICE}/Unary` });
    expect(seen[0]).not.toHaveProperty('grpc-timeout');
    expect(Reflect.get(seen[0] ?? {}, http2.sensitiveHeaders)).toEqual(
      expect.arrayContaining(['authorization', 'x-env']),
    );
    const page = (await send(sidecar.sidecar.ports.metrics ?? 0, { path: '/metrics' })).body.toString();
    expect(page).toContain('invoke_grpc_requests_total{direction="outbound",peer="external/bank",grpc_status="0"} 1');
  });

  test('with a path is none for gRPC, and says so', async () => {
    const { port, seen, allowed } = await raw(OK);
    const bank = endpoint('bank', { baseUrl: `http://localhost:${port}/v3` });
    const outcome = await calling(await sidecarWith({ allowed, endpoints: [bank] }), 'bank').call('Unary', ['x']);
    expect([...told(outcome), seen.length]).toEqual([Code.UNIMPLEMENTED, 'unimplemented', 0]);
    expect(outcome.status.details).toContain('a path (/v3)');
  });

  test('whose secret is not there says which', async () => {
    const headers = [{ name: 'authorization', secretKeyRef: { name: 'no-such', key: 'token' } }];
    const bank = endpoint('bank', { baseUrl: 'http://api.example.com', headers });
    const outcome = await calling(await sidecarWith({ endpoints: [bank] }), 'bank').call('Unary', ['x']);
    expect(told(outcome)).toEqual([Code.UNAVAILABLE, 'external-unreachable']);
    expect(outcome.status.details).toContain('the Secret no-such');
  });
});
