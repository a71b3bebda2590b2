// Timeouts say where the time went, over HTTP and over gRPC: a peer that cannot be reached is told from an app that is slow.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { status as Code } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { callerOf, faultOf, type GrpcApp, grpcApp, grpcOn } from '../testing/grpc-app.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { expectFault, send, to } from './testing.ts';
import { type Instance, instance, policies } from './testing-resiliency.ts';

const CONNECTING = 'resolving its name 0 ms, connecting 1000 ms';
const WAITING = 'resolving its name 0 ms, connecting 0 ms, waiting for its answer 1000 ms';

let mesh: Mesh;
let clock: ManualClock;
let web: MeshSidecar;
let slow: Instance;
let app: GrpcApp;
/** Takes connections, and says nothing. */
const silent = createServer();

beforeAll(async () => {
  mesh = await startMesh();
  clock = manualClock();
  const one = { timeout: 'one' };
  const resiliencies = policies({
    policies: { timeouts: { one: '1s' } },
    targets: { apps: { slow: one, shop: one, mute: one } },
  });
  web = await mesh.start('web', { clock, config: { resiliencies } });
  slow = await instance(mesh, 'slow');
  app = await grpcApp();
  await mesh.start('shop', { config: grpcOn(app) });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  for (const name of ['silent', 'mute']) mesh.point(name, [{ host: '127.0.0.1', port: portOf(silent) }]);
});
afterAll(async () => {
  await mesh.close();
  app.close();
  silent.close();
});

describe('over HTTP', () => {
  const call = (name: string, headers: readonly string[] = []) =>
    send(web.sidecar.ports.http, { path: to(name), headers });

  test('a peer that does not finish its handshake', async () => {
    const knocked = once(silent, 'connection');
    const answer = call('silent', ['invoke-timeout', '1S']);
    const [socket] = await knocked;
    clock.advance(1000);
    expect(expectFault(await answer, 'timeout')).toContain(`before it began to answer (${CONNECTING}).`);
    socket.destroy();
  });

  test('an app that does not answer, by the deadline of its caller', async () => {
    await call('slow');
    const seen = slow.next();
    const answer = call('slow', ['invoke-timeout', '1S']);
    await seen;
    clock.advance(1000);
    expect(expectFault(await answer, 'timeout')).toContain(`before it began to answer (${WAITING}).`);
  });

  test('and by a policy', async () => {
    const seen = slow.next();
    const answer = call('slow');
    await seen;
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
