// The life of a peer connection, on a clock that the test moves: ready, retired by age, dead without a word.
import { once } from 'node:events';
import { performServerHandshake, type ServerHttp2Session } from 'node:http2';
import { createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Fault } from '../../api/fault.ts';
import { throwawayCa } from '../../identity/testing.ts';
import { serverContext } from '../../identity/tls.ts';
import { silentLog } from '../../kit/log.ts';
import type { Result } from '../../kit/result.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import type { Http2ClientConnection } from '../../wire/http2/client.ts';
import { NOBODY, type ResponseReceiver } from '../../wire/message.ts';
import { identityOf } from '../testing/mesh.ts';
import type { PeerConnection } from './peer-connection.ts';
import { PeerPool } from './peer-pool.ts';

const HOUR_MS = 3_600_000;
const ca = throwawayCa();
const WEB = identityOf('web');
const ORDERS = identityOf('orders');

let clock: ManualClock;
let pool: PeerPool;
let closers: (() => void)[] = [];

beforeEach(() => {
  clock = manualClock();
  const credentials = ca.issue(WEB, { notAfter: clock.now() + 2 * HOUR_MS });
  pool = new PeerPool({
    credentials: () => credentials,
    trustDomain: WEB.trustDomain,
    clock,
    random: () => 0.5,
    log: silentLog,
  });
});
afterEach(() => {
  pool.close();
  for (const close of closers) close();
  closers = [];
});

/** A peer whose TLS is right and whose every byte after that is the test's. */
async function peer(serve: (socket: TLSSocket) => void, notAfter = clock.now() + 2 * HOUR_MS) {
  const server = createServer({ ...serverContext(ca.issue(ORDERS, { notAfter })) }, serve).listen(0, '127.0.0.1');
  const sockets = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server, 'listening');
  return { host: '127.0.0.1', port: portOf(server) };
}

function connected(connection: PeerConnection): Promise<Result<Http2ClientConnection, Fault>> {
  return new Promise((resolve) => void connection.wait(resolve));
}

async function ready(connection: PeerConnection): Promise<Http2ClientConnection> {
  const outcome = await connected(connection);
  if (!outcome.ok) throw new Error(outcome.error.message);
  return outcome.value;
}

/** A request that is left open, and what came of it. */
function openRequest(connection: Http2ClientConnection) {
  const heard: string[] = [];
  const receiver: ResponseReceiver = {
    ...NOBODY,
    informational: () => undefined,
    head: ({ status }) => heard.push(`head ${status}`),
    end: () => heard.push('end'),
    abort: ({ kind }) => heard.push(`abort ${kind}`),
  };
  const head = { method: 'POST', target: '/open', authority: 'peer', scheme: 'https', fields: [] };
  const requester = connection.request(
    { ...head, bodyBytes: undefined, upgrade: undefined, expectsContinue: false },
    receiver,
  );
  return { requester, heard };
}

test('calls share a connection until half of the shorter certificate is over; then new calls get a new one', async () => {
  const served: ServerHttp2Session[] = [];
  // Short enough that its half is over before the first ping, which a clock that jumps would leave unanswered.
  const shorter = clock.now() + 18_000;
  const endpoint = await peer((socket) => served.push(performServerHandshake(socket)), shorter);
  const first = pool.connection(endpoint, ORDERS);
  const firstReady = await ready(first);
  expect(pool.connection(endpoint, ORDERS)).toBe(first);

  const [session] = served;
  if (session === undefined) throw new Error('nobody connected');
  const arrived = once(session, 'stream');
  const { requester, heard } = openRequest(firstReady);
  const [stream] = await arrived;
  clock.advance(9500);
  const second = pool.connection(endpoint, ORDERS);
  expect(second).not.toBe(first);
  await ready(second);
  expect((await connected(first)).ok).toBe(false);

  // What was open on the old one lives on until it ends, and the connection with it.
  requester.end([]);
  stream.respond({ ':status': 200 }, { endStream: true });
  await expect.poll(() => heard).toEqual(['head 200', 'end']);
  // The peer of this test does not hang up by itself; it is given a second.
  const isClosed = () => {
    clock.advance(100);
    return first.isClosed;
  };
  await expect.poll(isClosed).toBe(true);
});

test('more calls at once than a peer takes on one connection go on a second', async () => {
  const endpoint = await peer(
    (socket) => void performServerHandshake(socket, { settings: { maxConcurrentStreams: 1 } }),
  );
  const first = pool.connection(endpoint, ORDERS);
  const { requester } = openRequest(await ready(first));
  const second = pool.connection(endpoint, ORDERS);
  expect(second).not.toBe(first);
  await ready(second);
  requester.cancel({ kind: 'reset', reason: 'enough' });
  expect(pool.connection(endpoint, ORDERS)).toBe(first);
});

test('the same address under another name is another connection', async () => {
  const endpoint = await peer((socket) => void performServerHandshake(socket));
  const asOrders = pool.connection(endpoint, ORDERS);
  const asAdmin = pool.connection(endpoint, identityOf('admin'));
  await ready(asOrders);
  const refused = await connected(asAdmin);
  expect(refused.ok ? 'accepted' : refused.error.code).toBe('peer-untrusted');
});

test('a peer that answers no ping is dead after 15 s, and its calls with it', async () => {
  const EMPTY_SETTINGS = Buffer.from('000000040000000000', 'hex');
  const endpoint = await peer((socket) => {
    socket.resume();
    socket.write(EMPTY_SETTINGS);
  });
  const connection = pool.connection(endpoint, ORDERS);
  const { heard } = openRequest(await ready(connection));
  // By the end of this turn it has left.
  await new Promise(setImmediate);
  clock.advance(10_000);
  expect(connection.isUsable).toBe(true);
  clock.advance(5000);
  expect(connection.isUsable).toBe(false);
  expect(heard).toEqual(['abort closed']);
});

test('a peer that answers pings lives', async () => {
  let pings = 0;
  const endpoint = await peer((socket) => performServerHandshake(socket).on('ping', () => pings++));
  const connection = pool.connection(endpoint, ORDERS);
  const alive = await ready(connection);
  for (let round = 1; round <= 3; round++) {
    clock.advance(10_000);
    // Answers come in order: the ping that follows is answered after the one that the clock sent.
    await new Promise<void>((answered) => alive.ping(answered));
    expect(pings).toBe(2 * round);
  }
  clock.advance(9000);
  expect(connection.isUsable).toBe(true);
});

test('a peer that never speaks TLS, or never HTTP/2, is given up after 2 s and 5 s', async () => {
  const endpoint = await peer((socket) => void socket.resume());
  const connection = pool.connection(endpoint, ORDERS);
  const failed = connected(connection);
  while (clock.waiting().length === 0 || Math.max(...clock.waiting()) <= 2000) await new Promise(setImmediate);
  clock.advance(5000);
  const outcome = await failed;
  expect(outcome.ok ? 'connected' : outcome.error.code).toBe('peer-unreachable');
});

test('a pool that is closed leaves nothing open', async () => {
  const served: ServerHttp2Session[] = [];
  const endpoint = await peer((socket) => served.push(performServerHandshake(socket)));
  await ready(pool.connection(endpoint, ORDERS));
  pool.close();
  await expect.poll(() => served.map(({ closed }) => closed)).toEqual([true]);
  expect(clock.waiting()).toEqual([]);
});
