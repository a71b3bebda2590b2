// The gRPC port's connections, and what is left of a call that meets a bug.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { OutboundCall } from '../../api/call.ts';
import { closedRequest, type Open } from '../../api/exchange.ts';
import { headerValue } from '../../api/headers.ts';
import { HeldBytes } from '../../kit/held-bytes.ts';
import { silentLog } from '../../kit/log.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import type { Fields } from '../../wire/message.ts';
import { type H2cClient, h2cClient, request } from '../../wire/testing/h2c-client.ts';
import { Recorder } from '../../wire/testing/recorder.ts';
import { NOTHING_OUTSIDE } from '../external/outside.ts';
import { identityOf } from '../testing/mesh.ts';
import { AppGrpc } from './app-grpc.ts';
import { GrpcMethods } from './grpc-methods.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Served {
  readonly edge: AppGrpc;
  readonly clock: ManualClock;
  readonly errors: string[];
  readonly port: number;
  connect(): Promise<H2cClient>;
}

async function serve(open: Open<OutboundCall>): Promise<Served> {
  const clock = manualClock();
  const errors: string[] = [];
  const edge = new AppGrpc({
    ...{ open, clock, self: identityOf('web'), bodyBytesMax: 1000, hopsMax: 32, random: () => 0.5 },
    ...{ methods: new GrpcMethods([]), held: new HeldBytes(1000), outside: NOTHING_OUTSIDE.rules },
    log: { ...silentLog, error: (message) => errors.push(message) },
    rules: { apiToken: undefined, allowedOrigins: [], allowedHosts: [] },
  });
  const server = edge.server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    edge.destroy();
    server.close();
  });
  const port = portOf(server);
  return { edge, clock, errors, port, connect: () => h2cClient(port, { streamsMax: 10 }) };
}

/** Takes everything, and never answers. */
const silence: Open<OutboundCall> = () => closedRequest;
const METADATA: Fields = ['content-type', 'application/grpc', 'te', 'trailers', 'dapr-app-id', 'shop'];

function call({ connection }: H2cClient): Recorder {
  const recorder = new Recorder();
  connection.request(request({ method: 'POST', target: '/a.B/C', fields: METADATA }), recorder);
  return recorder;
}

/** The server has seen all that was sent before. */
function roundTrip({ connection }: H2cClient): Promise<void> {
  return new Promise((answered) => connection.ping(answered));
}

test('a connection without a call goes within two minutes; one with a call stays, however long it takes', async () => {
  const { clock, connect } = await serve(silence);
  const [idle, busy] = [await connect(), await connect()];
  call(busy);
  await roundTrip(busy);
  await roundTrip(idle);
  clock.advance(120_000);
  expect(await idle.closed).toMatchObject({ kind: 'closed' });
  clock.advance(600_000);
  await roundTrip(busy);
  expect(busy.connection.isUsable).toBe(true);
});

test('a connection that never says anything goes, too', async () => {
  const { clock, port } = await serve(silence);
  const socket = connect(port, '127.0.0.1')
    .on('error', () => undefined)
    .resume();
  const closed = new Promise((done) => socket.once('close', done));
  await expect.poll(() => clock.waiting()).toHaveLength(1);
  clock.advance(180_000);
  await closed;
  await expect.poll(() => clock.waiting()).toEqual([]);
});

test('without a connection nothing wakes the sidecar', async () => {
  const { clock, connect } = await serve(silence);
  const client = await connect();
  await roundTrip(client);
  expect(clock.waiting()).toHaveLength(1);
  client.connection.destroy({ kind: 'closed', reason: 'enough' });
  await expect.poll(() => clock.waiting()).toEqual([]);
});

test('a drain lets calls that are open finish, and takes no other', async () => {
  const { edge, connect } = await serve(silence);
  const client = await connect();
  const open = call(client);
  await roundTrip(client);
  edge.drain();
  await expect.poll(() => client.connection.isUsable).toBe(false);
  expect(open.outcomes).toEqual([]);
  edge.destroy();
  expect((await open.outcome()).kind).toBe('abort');
});

test('a bug that a call finds is told as INTERNAL and logged, and the next call is served', async () => {
  let calls = 0;
  const { errors, connect } = await serve((_call, reply) => {
    calls++;
    if (calls === 1) throw new TypeError('of a test');
    reply.head({
      status: 200,
      headers: ['content-type', 'application/grpc', 'grpc-status', '0'],
      bodyBytes: undefined,
    });
    reply.end([]);
    return closedRequest;
  });
  const client = await connect();
  for (const status of ['13', '0']) {
    const recorder = call(client);
    await recorder.outcome();
    expect(headerValue(recorder.heads[0]?.fields ?? [], 'grpc-status')).toBe(status);
  }
  expect(errors).toEqual(['a bug in the app API']);
});
