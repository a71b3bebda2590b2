// The connections to the app: who gets which, how long one is kept, and what is never sent on one that may be gone.
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { freePort } from '../../kit/testing/ports.ts';
import { turn } from '../../wire/http1/testing/drive.ts';
import { AppPool } from './pool.ts';
import { PoolCall, RawApp } from './testing.ts';

let clock: ManualClock;
const pools: AppPool[] = [];
let app: RawApp;

beforeEach(async () => {
  clock = manualClock();
  app = await RawApp.listen('127.0.0.1');
});

afterEach(async () => {
  for (const pool of pools.splice(0)) pool.destroy();
  await app.close();
});

function poolTo(port: number, { connectionsMax = 1024, idleMax = 64 } = {}): AppPool {
  const pool = new AppPool({ host: '127.0.0.1', port }, clock, { connectionsMax, idleMax });
  pools.push(pool);
  return pool;
}

/** A call from its beginning to its end, on the connection of this number at the app. */
async function called(pool: AppPool, connection: number, ...fields: readonly string[]): Promise<PoolCall> {
  const call = new PoolCall(pool);
  await call.sent();
  await app.answer(connection, ...fields);
  await call.ended();
  expect(call.answer).toMatchObject({ body: 'ok', outcomes: ['end'] });
  return call;
}

describe('waiting', () => {
  test('as many calls as there may be connections go at once; the others in their order', async () => {
    const pool = poolTo(app.port, { connectionsMax: 2 });
    const calls = [1, 2].map((number) => new PoolCall(pool, { target: `/${number}` }));
    for (const call of calls) await call.sent();
    calls.push(...[3, 4, 5].map((number) => new PoolCall(pool, { target: `/${number}` })));
    for (const [i, next] of [3, 4, 5].entries()) {
      await app.answer(i % 2);
      await calls[i]?.ended();
      await expect.poll(() => app.received[i % 2]).toContain(`GET /${next} `);
    }
    expect(app.sockets).toHaveLength(2);
  });

  test('a call that is cancelled leaves its place to the next', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const [first, second, third] = [1, 2, 3].map((number) => new PoolCall(pool, { target: `/${number}` }));
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
    const first = new PoolCall(pool);
    const second = new PoolCall(pool);
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
    const [first, second] = [new PoolCall(pool), new PoolCall(pool)];
    await first.sent();
    await app.answer(0, 'connection: close');
    await first.ended();
    app.socket(0).end();
    await second.sent();
    await expect.poll(() => app.sockets).toHaveLength(2);
  });

  test('a call that cannot be written leaves the connection to the next', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const first = new PoolCall(pool);
    const unwritable = [1, 2].map(() => new PoolCall(pool, { fields: ['a', 'b\r\nc: d'] }));
    const last = new PoolCall(pool);
    await first.sent();
    await app.answer(0);
    await first.ended();
    await last.sent();
    expect(unwritable.map(({ answer }) => answer.outcomes)).toEqual([['abort malformed'], ['abort malformed']]);
    expect(app.sockets).toHaveLength(1);
  });

  test('a connection that the app keeps no longer is for nobody, though somebody waits', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const [first, second] = [new PoolCall(pool), new PoolCall(pool)];
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

  test('a failed attempt costs one call its turn, and the next are tried for', async () => {
    const pool = poolTo(await freePort(), { connectionsMax: 1 });
    const calls = [1, 2, 3].map(() => new PoolCall(pool));
    for (const call of calls) await expect.poll(() => call.cause).toMatch(/REFUSED/);
  });

  test('an attempt that fails is that of the call that waits longest', async () => {
    const pool = poolTo(app.port, { connectionsMax: 1 });
    const [first, second, third] = [new PoolCall(pool), new PoolCall(pool), new PoolCall(pool)];
    clock.advance(2000);
    await second.sent();
    const causes = [first, second, third].map(({ cause }) => cause);
    expect(causes).toEqual(['connecting took longer than 2000 ms', undefined, undefined]);
  });

  test('an attempt that nobody waits for any more fails nobody', async () => {
    const pool = poolTo(app.port);
    const first = new PoolCall(pool);
    clock.advance(1000);
    const second = new PoolCall(pool);
    pool.leave(first);
    clock.advance(1000);
    await second.sent();
    expect([first.cause, second.cause]).toEqual([undefined, undefined]);
  });

  test('ends with the pool, as all calls do', async () => {
    const pool = poolTo(app.port);
    const sent = await new PoolCall(pool).sent();
    const waiting = new PoolCall(pool);
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
    const first = await new PoolCall(pool).sent();
    const second = await new PoolCall(pool).sent();
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
    const calls = [new PoolCall(pool), new PoolCall(pool)];
    for (const call of calls) await call.sent();
    await Promise.all([app.answer(0), app.answer(1)]);
    for (const call of calls) await call.ended();
    const [, second] = calls;
    expect(pool.take()).toBe(second?.connection);
  });

  test('is one of a few: more than those are closed', async () => {
    const pool = poolTo(app.port, { idleMax: 1 });
    const calls = [new PoolCall(pool), new PoolCall(pool)];
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
    const call = new PoolCall(pool);
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
    const call = new PoolCall(pool, { method: 'POST', bodyBytes: body.length }, body);
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
