// The connections to the app: who gets which, how long one is kept, and what is never sent on one that may be gone.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { ReceivedResponse, requestHead, turn } from '../../wire/http1/testing/drive.ts';
import type { Fields, Requester, RequestHead, WireFailure } from '../../wire/message.ts';
import { type AppConnection, AppPool, type AppWaiter } from './pool.ts';

let clock: ManualClock;
const pools: AppPool[] = [];
let app: App;

beforeEach(async () => {
  clock = manualClock();
  app = await App.listen('127.0.0.1');
});

afterEach(async () => {
  for (const pool of pools.splice(0)) pool.destroy();
  await app.close();
});

/** An app whose every byte is the test's own: it reads nothing and says nothing unless it is told to. */
class App {
  readonly server: Server;
  readonly sockets: Socket[] = [];
  /** What arrived on each connection. */
  readonly received: string[] = [];

  private constructor(server: Server) {
    this.server = server;
    server.on('connection', (socket) => {
      const at = this.sockets.push(socket) - 1;
      this.received.push('');
      // Else they would count among what keeps this process alive.
      socket.unref();
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        this.received[at] += chunk.toString('latin1');
      });
    });
  }

  static async listen(host: string, port = 0): Promise<App> {
    const server = createServer({ allowHalfOpen: true }).listen(port, host);
    await once(server, 'listening');
    return new App(server);
  }

  get port(): number {
    return portOf(this.server);
  }

  socket(connection: number): Socket {
    const socket = this.sockets[connection];
    if (socket === undefined) throw new Error(`there is no connection ${connection}`);
    return socket;
  }

  /** Answers once the request is there. */
  async answer(connection: number, ...fields: readonly string[]): Promise<void> {
    await expect.poll(() => this.received[connection]).toMatch(/\r\n\r\n/);
    this.received[connection] = '';
    const lines = ['HTTP/1.1 200 OK', 'content-length: 2', ...fields];
    this.socket(connection).write(`${lines.join('\r\n')}\r\n\r\nok`);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}

class Answer extends ReceivedResponse {
  readonly #over: () => void;

  constructor(over: () => void) {
    super();
    this.#over = over;
  }

  override end(trailers: Fields): void {
    super.end(trailers);
    this.#over();
  }

  override abort(failure: WireFailure): void {
    super.abort(failure);
    this.#over();
  }
}

/** One call as the transport makes it. */
class Call implements AppWaiter {
  readonly answer: ReceivedResponse;
  readonly #head: RequestHead;
  readonly #body: Buffer;
  connection: AppConnection | undefined;
  requester: Requester | undefined;
  cause: string | undefined;

  constructor(pool: AppPool, head: Partial<RequestHead> = {}, body = Buffer.alloc(0)) {
    this.answer = new Answer(() => {
      if (this.connection !== undefined) pool.release(this.connection);
    });
    this.#body = body;
    this.#head = requestHead(head);
    const taken = pool.take();
    if (taken === undefined) pool.wait(this);
    else this.connected(taken);
  }

  connected(connection: AppConnection): void {
    this.requester = connection.request(this.#head, this.answer);
    if (this.answer.outcomes.length > 0) return;
    this.connection = connection;
    this.requester.data(this.#body);
    this.requester.end([]);
  }

  unreachable(cause: string): void {
    this.cause = cause;
  }

  async ended(): Promise<void> {
    await expect.poll(() => this.answer.outcomes).toHaveLength(1);
  }

  /** It is sent, and nothing of its answer is there. */
  async sent(): Promise<this> {
    await expect.poll(() => this.connection).toBeDefined();
    return this;
  }
}

function poolTo(port: number, { host = '127.0.0.1', connectionsMax = 1024, idleMax = 64 } = {}): AppPool {
  const pool = new AppPool({ host, port }, clock, { connectionsMax, idleMax });
  pools.push(pool);
  return pool;
}

/** A call from its beginning to its end, on the connection of this number at the app. */
async function called(pool: AppPool, connection: number, ...fields: readonly string[]): Promise<Call> {
  const call = new Call(pool);
  await call.sent();
  await app.answer(connection, ...fields);
  await call.ended();
  expect(call.answer).toMatchObject({ body: 'ok', outcomes: ['end'] });
  return call;
}

describe('connecting', () => {
  test.each(['127.0.0.1', '::1'])('localhost is found where the app listens on %s alone', async (host) => {
    const other = await App.listen(host);
    const call = await new Call(poolTo(other.port, { host: 'localhost' })).sent();
    await other.answer(0);
    await call.ended();
    expect(call.answer.outcomes).toEqual(['end']);
    await other.close();
  });

  test('localhost is reached on 127.0.0.1 also when this process stalls while it connects', async () => {
    const pool = new AppPool({ host: 'localhost', port: app.port }, systemClock);
    pools.push(pool);
    // From here timers come before sockets.
    await turn();
    const call = new Call(pool);
    await new Promise((resolve) => process.nextTick(resolve));
    stall(600);
    await call.sent();
  });

  test('where nobody listens, each call hears why, on which address', async () => {
    const port = await freePort();
    const calls = [1, 2].map(() => new Call(poolTo(port, { host: 'localhost' })));
    for (const call of calls) await expect.poll(() => call.cause).toMatch(/REFUSED 127\.0\.0\.1.*REFUSED ::1/);
  });

  test('an attempt that hangs is given up after two seconds', async () => {
    const call = new Call(poolTo(app.port));
    clock.advance(2000);
    await expect.poll(() => call.cause).toBe('connecting took longer than 2000 ms');
  });

  test('a failed attempt costs one call its turn, and the next are tried for', async () => {
    const pool = poolTo(await freePort(), { connectionsMax: 1 });
    const calls = [1, 2, 3].map(() => new Call(pool));
    for (const call of calls) await expect.poll(() => call.cause).toMatch(/REFUSED/);
  });
});

/** As garbage collection or a busy machine does: timers that are due run before anything else is looked at. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('waiting', () => {
  test('as many calls as there may be connections go at once; the others in their order', async () => {
    const pool = poolTo(app.port, { connectionsMax: 2 });
    const calls = [1, 2].map((number) => new Call(pool, { target: `/${number}` }));
    for (const call of calls) await call.sent();
    calls.push(...[3, 4, 5].map((number) => new Call(pool, { target: `/${number}` })));
    for (const [i, next] of [3, 4, 5].entries()) {
      await app.answer(i % 2);
      await calls[i]?.ended();
      await expect.poll(() => app.received[i % 2]).toContain(`GET /${next} `);
    }
    expect(app.sockets).toHaveLength(2);
  });

  test('a call that is cancelled leaves its place to the next', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const [first, second, third] = [1, 2, 3].map((number) => new Call(pool, { target: `/${number}` }));
    await first?.sent();
    if (second !== undefined) pool.leave(second);
    await app.answer(0);
    await first?.ended();
    await third?.sent();
    expect(second?.connection).toBeUndefined();
  });

  test('a call takes the connection that is ready first, though another was begun for it', async () => {
    const pool = poolTo(app.port);
    await called(pool, 0);
    const first = new Call(pool);
    const second = new Call(pool);
    await app.answer(0);
    await first.ended();
    await second.sent();
    // Whichever of the two it got, the other is there for the next.
    await expect.poll(() => app.sockets).toHaveLength(2);
    await app.answer(app.received[0] === '' ? 1 : 0);
    await second.ended();
  });

  test('a connection that closed leaves its place to a new one', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const [first, second] = [new Call(pool), new Call(pool)];
    await first.sent();
    await app.answer(0, 'connection: close');
    await first.ended();
    app.socket(0).end();
    await second.sent();
    await expect.poll(() => app.sockets).toHaveLength(2);
  });

  test('a call that cannot be written leaves the connection to the next', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const first = new Call(pool);
    const unwritable = [1, 2].map(() => new Call(pool, { fields: ['a', 'b\r\nc: d'] }));
    const last = new Call(pool);
    await first.sent();
    await app.answer(0);
    await first.ended();
    await last.sent();
    expect(unwritable.map(({ answer }) => answer.outcomes)).toEqual([['abort malformed'], ['abort malformed']]);
    expect(app.sockets).toHaveLength(1);
  });

  test('a connection that the app keeps no longer is for nobody, though somebody waits', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const [first, second] = [new Call(pool), new Call(pool)];
    await first.sent();
    await expect.poll(() => app.sockets).toHaveLength(1);
    const ended = once(app.socket(0), 'end');
    await app.answer(0, 'keep-alive: timeout=1');
    await first.ended();
    await ended;
    expect(second.connection).toBeUndefined();
    app.socket(0).end();
    await second.sent();
  });

  test('an attempt that fails is that of the call that waits longest', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const [first, second, third] = [new Call(pool), new Call(pool), new Call(pool)];
    clock.advance(2000);
    await second.sent();
    const causes = [first, second, third].map(({ cause }) => cause);
    expect(causes).toEqual(['connecting took longer than 2000 ms', undefined, undefined]);
  });

  test('an attempt that nobody waits for any more fails nobody', async () => {
    const pool = poolTo(app.port);
    const first = new Call(pool);
    clock.advance(1000);
    const second = new Call(pool);
    pool.leave(first);
    clock.advance(1000);
    await second.sent();
    expect([first.cause, second.cause]).toEqual([undefined, undefined]);
  });

  test('ends with the pool, as all calls do', async () => {
    const pool = poolTo(app.port);
    const sent = await new Call(pool).sent();
    const waiting = new Call(pool);
    pool.destroy();
    expect(waiting.cause).toBe('this sidecar is stopping');
    await sent.ended();
    expect(sent.answer.outcomes).toEqual(['abort closed']);
  });
});

describe('a kept connection', () => {
  test('carries the next call, for a second; then it is closed, and no timer is left', async () => {
    const pool = poolTo(app.port);
    await called(pool, 0);
    clock.advance(999);
    await called(pool, 0);
    clock.advance(999);
    await called(pool, 0);
    const ended = once(app.socket(0), 'end');
    clock.advance(1000);
    await ended;
    expect(pool.take()).toBeUndefined();
    app.socket(0).end();
    await expect.poll(() => clock.waiting()).toEqual([]);
  });

  test('goes at the end of its own second, whenever others go', async () => {
    const pool = poolTo(app.port);
    const first = await new Call(pool).sent();
    const second = await new Call(pool).sent();
    await app.answer(0);
    await first.ended();
    clock.advance(500);
    await app.answer(1);
    await second.ended();
    const ended = app.sockets.map((socket) => once(socket, 'end'));
    clock.advance(500);
    await ended[0];
    expect(app.socket(1).readableEnded).toBe(false);
    clock.advance(500);
    await ended[1];
  });

  test('is not used when its second is over, though nobody has come round to closing it', async () => {
    let elapsedMs = 0;
    const pool = new AppPool({ host: '127.0.0.1', port: app.port }, { ...clock, elapsed: () => elapsedMs });
    pools.push(pool);
    await called(pool, 0);
    elapsedMs = 999;
    const taken = pool.take();
    expect(taken).toBeDefined();
    if (taken !== undefined) pool.release(taken);
    elapsedMs = 1000;
    expect(pool.take()).toBeUndefined();
  });

  test.each([
    ['no announcement', [], 1],
    ['Keep-Alive: timeout=5', ['keep-alive: timeout=5'], 1],
    ['Keep-Alive: timeout=2', ['keep-alive: max=9, timeout=2'], 1],
    ['Keep-Alive: timeout=1', ['keep-alive: timeout=1'], 2],
    ['Keep-Alive: timeout=0', ['keep-alive: timeout=0'], 2],
    ['Connection: close', ['connection: close'], 2],
  ])('of an app with %s', async (_what, fields, connections) => {
    const pool = poolTo(app.port);
    await called(pool, 0, ...fields);
    await called(pool, connections - 1, ...fields);
    expect(app.sockets).toHaveLength(connections);
  });

  test('is the one that was used last', async () => {
    const pool = poolTo(app.port);
    const calls = [new Call(pool), new Call(pool)];
    for (const call of calls) await call.sent();
    await Promise.all([app.answer(0), app.answer(1)]);
    for (const call of calls) await call.ended();
    const [, second] = calls;
    expect(pool.take()).toBe(second?.connection);
  });

  test('is one of a few: more than those are closed', async () => {
    const pool = poolTo(app.port, { idleMax: 1 });
    const calls = [new Call(pool), new Call(pool)];
    for (const call of calls) await call.sent();
    await expect.poll(() => app.sockets).toHaveLength(2);
    const ended = Promise.race(app.sockets.map((socket) => once(socket, 'end')));
    await Promise.all([app.answer(0), app.answer(1)]);
    for (const call of calls) await call.ended();
    await ended;
    expect(pool.take()).toBeDefined();
    expect(pool.take()).toBeUndefined();
  });

  test('that the app has closed is not used', async () => {
    const pool = poolTo(app.port);
    const { connection } = await called(pool, 0);
    app.socket(0).end();
    while (connection?.isIdle) await turn();
    await called(pool, 1);
    expect(app.sockets).toHaveLength(2);
  });

  test('that the app closes as the next call is written fails that call, which the app may have seen', async () => {
    const pool = poolTo(app.port);
    await called(pool, 0);
    const call = new Call(pool);
    app.socket(0).resetAndDestroy();
    await call.ended();
    expect(call.answer.outcomes).toEqual(['abort closed']);
    await called(pool, 1);
  });

  test('is not kept when the app has answered and left much of the request unread', async () => {
    const pool = poolTo(app.port);
    await called(pool, 0);
    app.socket(0).pause();
    const body = Buffer.alloc(32 * 1024 * 1024);
    const call = new Call(pool, { method: 'POST', bodyBytes: body.length }, body);
    app.socket(0).write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    await call.ended();
    expect(call.answer.outcomes).toEqual(['end']);
    await called(pool, 1);
  });

  test('does not keep the process alive', async () => {
    const before = liveSockets();
    const pool = poolTo(app.port);
    await called(pool, 0);
    expect(liveSockets()).toBe(before);
  });
});

/** What keeps this process alive, of sockets that are connected. */
function liveSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}

test('a connection that the app does not close in its turn is broken off after a second', async () => {
  const pool = poolTo(app.port);
  const { connection } = await called(pool, 0, 'connection: close');
  expect(connection?.isIdle).toBe(false);
  const socket = app.socket(0);
  clock.advance(1000);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  // Nobody is there any more: what the app says now meets a reset.
  const write = () => {
    if (socket.destroyed) return;
    socket.write('more');
    setImmediate(write);
  };
  write();
  await closed;
  await expect.poll(() => clock.waiting()).toEqual([]);
});
