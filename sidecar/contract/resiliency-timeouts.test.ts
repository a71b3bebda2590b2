// Timeouts say where the time went, over HTTP and over gRPC: a peer that cannot be reached is told from an app that is slow.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { status as Code } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { callerOf, faultOf, type GrpcApp, grpcApp, grpcOn } from '../testing/grpc-app.ts';
import { expectFault } from './testing.ts';
import { inside, policies, webForAll } from './testing-resiliency.ts';

const CONNECTING = 'resolving its name 0 ms, connecting 1000 ms';
const WAITING = 'resolving its name 0 ms, connecting 0 ms, waiting for its answer 1000 ms';

const ONE_SECOND = { timeout: 'one' };
const resiliencies = policies({
  policies: { timeouts: { one: '1s' } },
  targets: { apps: { slow: ONE_SECOND, shop: ONE_SECOND, mute: ONE_SECOND } },
});
const clock = manualClock();
const web = webForAll({ clock, config: { resiliencies } });
const slow = web.instance('slow');
let app: GrpcApp;
/** Takes connections, and says nothing. */
const silent = createServer();

beforeAll(async () => {
  app = await grpcApp();
  await web.mesh.start('shop', { config: grpcOn(app) });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  for (const name of ['silent', 'mute']) web.mesh.point(name, [{ host: '127.0.0.1', port: portOf(silent) }]);
});
afterAll(() => {
  app.close();
  silent.close();
});

describe('over HTTP', () => {
  const DEADLINE = { headers: ['invoke-timeout', '1S'] };

  test('a peer that does not finish its handshake', async () => {
    const knocked = once(silent, 'connection');
    const answer = web.call('silent', DEADLINE);
    const [socket] = await knocked;
    clock.advance(1000);
    expect(expectFault(await answer, 'timeout')).toContain(`before it began to answer (${CONNECTING}).`);
    socket.destroy();
  });

  test('an app that does not answer, by the deadline of its caller', async () => {
    await web.call('slow');
    const { answer } = await inside(slow, web.call('slow', DEADLINE));
    clock.advance(1000);
    expect(expectFault(await answer, 'timeout')).toContain(`before it began to answer (${WAITING}).`);
  });

  test('and by a policy', async () => {
    const { answer } = await inside(slow, web.call('slow'));
    clock.advance(1000);
    expect(expectFault(await answer, 'timeout')).toContain(`gives each try (${WAITING}).`);
  });
});

describe('over gRPC', () => {
  test('a peer that does not finish its handshake', async () => {
    const caller = callerOf(web, 'mute');
    const knocked = once(silent, 'connection');
    const outcome = caller.call('Unary', ['x']);
    const [socket] = await knocked;
    clock.advance(1000);
    const ended = await outcome;
    expect([faultOf(ended), ended.status.code]).toEqual(['timeout', Code.DEADLINE_EXCEEDED]);
    expect(ended.status.details).toContain(`gives each try (${CONNECTING}).`);
    socket.destroy();
    caller.close();
  });

  test('an app that does not answer', async () => {
    const caller = callerOf(web, 'shop');
    await caller.call('Unary', ['x']);
    const { promise: seen, resolve: see } = Promise.withResolvers<void>();
    app.behaviour.unary = () => see();
    const outcome = caller.call('Unary', ['x']);
    await seen;
    clock.advance(1000);
    const ended = await outcome;
    expect([faultOf(ended), ended.status.code]).toEqual(['timeout', Code.DEADLINE_EXCEEDED]);
    expect(ended.status.details).toContain(`gives each try (${WAITING}).`);
    caller.close();
  });
});
