// A deadline travels along a chain of calls, a to b to c, whose apps pass on what they are told: each is told what the sidecars before
// it have left of the time, and when it has passed, all of them hear that nobody waits any more. The sidecars here spend time by the
// pause before a second try, on a clock that they share and the test moves.
import { once } from 'node:events';
import http2 from 'node:http2';
import { status as Code } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseTimeout } from '../../api/timeout.ts';
import { must } from '../../kit/result.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { callerOf, faultOf, type GrpcCaller, grpcOn } from '../testing/grpc-app.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { expectFault, send, to } from './testing.ts';
import { policies, type WatchedClock, watchedClock } from './testing-resiliency.ts';

const PAUSE_MS = 700;
const NEXT: Readonly<Record<string, string | undefined>> = { a: 'b', b: 'c' };
const resiliencies = policies({
  policies: { retries: { DefaultAppRetryPolicy: { duration: `${PAUSE_MS}ms`, maxRetries: 1 } } },
});

let mesh: Mesh;
let clock: WatchedClock;
let web: MeshSidecar;
const told: { readonly name: string; readonly ms: number }[] = [];
/** Who has heard that nobody waits for it. */
const left: string[] = [];
/** What the last app waits for before it answers. */
let holding: { readonly reach: () => void; readonly until: Promise<void> } | undefined;

/** Each protocol has a mesh of its own. */
async function startWeb(): Promise<void> {
  mesh = await startMesh();
  clock = watchedClock();
  web = await mesh.start('web', { clock, config: { resiliencies } });
}
afterEach(() => {
  told.length = 0;
  left.length = 0;
  holding = undefined;
});

interface Asked {
  refuse(): void;
  answer(): void;
  /** Whether the next one answered well. */
  passOn(next: string): Promise<boolean>;
}

/** An app refuses the first time that it is asked, and then asks the next one. */
async function serve(name: string, timeout: unknown, { refuse, answer, passOn }: Asked): Promise<void> {
  const isFirst = !told.some((one) => one.name === name);
  told.push({ name, ms: Math.round(must(parseTimeout(String(timeout)))) });
  if (isFirst) return refuse();
  const next = NEXT[name];
  if (next !== undefined && !(await passOn(next))) return;
  if (next === undefined && holding !== undefined) {
    holding.reach();
    await holding.until;
  }
  answer();
}

/** The pauses of the three callers, one after the other. */
async function passThePauses(): Promise<void> {
  for (let pauses = 0; pauses < 3; pauses++) {
    await clock.waitingFor(PAUSE_MS);
    clock.advance(PAUSE_MS);
  }
}

function expectTold(): void {
  expect(told.map(({ name, ms }) => [name, ms])).toEqual([
    ['a', 10_000],
    ['a', 9300],
    ['b', 9300],
    ['b', 8600],
    ['c', 8600],
    ['c', 7900],
  ]);
}

/** Once the last app has been asked, and does not answer, the time is over. */
async function runOut(): Promise<void> {
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  holding = { reach, until: new Promise(() => undefined) };
  await passThePauses();
  await reached;
  clock.advance(7900);
}

describe('over HTTP, by invoke-timeout', () => {
  beforeAll(async () => {
    await startWeb();
    for (const name of ['a', 'b', 'c']) {
      const own = await mesh.start(name, {
        clock,
        config: { resiliencies },
        handler: (request, response) => {
          const timeout = String(request.headers['invoke-timeout']);
          response.once('close', () => response.writableFinished || left.push(name));
          void serve(name, timeout, {
            refuse: () => void response.writeHead(503).end(),
            answer: () => void response.end(),
            passOn: async (next) => {
              const headers = ['invoke-timeout', timeout];
              return (await send(own.sidecar.ports.http, { path: to(next), headers })).status === 200;
            },
          });
        },
      });
    }
  });
  afterAll(() => mesh.close());
  const call = () => send(web.sidecar.ports.http, { path: to('a'), headers: ['invoke-timeout', '10S'] });

  test('each app is told what is left', async () => {
    const answer = call();
    await passThePauses();
    expect((await answer).status).toBe(200);
    expectTold();
  });

  test('when nothing is left, all of them hear of it', async () => {
    const answer = call();
    await runOut();
    expectFault(await answer, 'timeout');
    await expect.poll(() => left.toSorted()).toEqual(['a', 'b', 'c']);
  });
});

describe('over gRPC, by grpc-timeout', () => {
  const HEAD = { ':status': 200, 'content-type': 'application/grpc' };
  const servers: http2.Http2Server[] = [];
  const callers: GrpcCaller[] = [];
  let caller: GrpcCaller;

  beforeAll(async () => {
    await startWeb();
    for (const name of ['a', 'b', 'c']) await startApp(name);
    caller = callerOf(web, 'a');
    callers.push(caller);
  });
  afterAll(async () => {
    for (const one of callers) one.close();
    await mesh.close();
    for (const server of servers) server.close();
  });

  /** Without a library: it would take the deadline out of the metadata, and keep it by its own clock. */
  async function startApp(name: string): Promise<void> {
    const server = http2.createServer().listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const own = await mesh.start(name, { clock, config: { resiliencies, ...grpcOn({ port: portOf(server) }) } });
    const toNext = callerOf(own, NEXT[name]);
    callers.push(toNext);
    server.on('stream', (stream, { 'grpc-timeout': timeout }) => {
      const end = (code: number) => stream.respond({ ...HEAD, 'grpc-status': String(code) }, { endStream: true });
      stream.on('error', () => undefined);
      stream.once('aborted', () => left.push(name));
      stream.resume().once('end', () => {
        void serve(name, timeout, {
          refuse: () => end(Code.UNAVAILABLE),
          answer: () => end(Code.OK),
          passOn: async () => (await ask(toNext, String(timeout))).status.code === Code.OK,
        });
      });
    });
  }
  const ask = (one: GrpcCaller, timeout: string) =>
    one.call('Duplex', ['x'], one.metadata({ 'grpc-timeout': timeout }));

  test('each app is told what is left', async () => {
    const outcome = ask(caller, '10S');
    await passThePauses();
    expect((await outcome).status.code).toBe(Code.OK);
    expectTold();
  });

  test('when nothing is left, all of them hear of it', async () => {
    const outcome = ask(caller, '10S');
    await runOut();
    const ended = await outcome;
    expect([ended.status.code, faultOf(ended)]).toEqual([Code.DEADLINE_EXCEEDED, 'timeout']);
    await expect.poll(() => left.toSorted()).toEqual(['a', 'b', 'c']);
  });
});
