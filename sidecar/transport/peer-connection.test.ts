// The life of a peer connection, on a clock that the test moves: ready, retired by age, dead without a word.
import { once } from 'node:events';
import { type Http2Session, performServerHandshake, type ServerHttp2Session } from 'node:http2';
import { createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { throwawayCa } from '../../identity/testing.ts';
import { serverContext } from '../../identity/tls.ts';
import { silentLog } from '../../kit/log.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { identityOf } from '../testing/mesh.ts';
import type { Connected, PeerConnection } from './peer-connection.ts';
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
  pool = new PeerPool({ credentials: () => credentials, clock, random: () => 0.5, log: silentLog });
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

function session(connection: PeerConnection): Promise<Connected> {
  return new Promise((resolve) => connection.withSession(resolve));
}

async function readySession(connection: PeerConnection) {
  const connected = await session(connection);
  if (!connected.ok) throw new Error(connected.fault.message);
  return connected.session;
}

test('calls share a connection until half of the shorter certificate is over; then new calls get a new one', async () => {
  const served: ServerHttp2Session[] = [];
  // Short enough that its half is over before the first ping, which a clock that jumps would leave unanswered.
  const shorter = clock.now() + 18_000;
  const endpoint = await peer((socket) => served.push(performServerHandshake(socket)), shorter);
  const first = pool.connection(endpoint, ORDERS);
  const firstSession = await readySession(first);
  expect(pool.connection(endpoint, ORDERS)).toBe(first);

  const arrived = once(served[0] ?? firstSession, 'stream');
  const open = firstSession.request({ ':method': 'POST', ':path': '/open' });
  const [stream] = await arrived;
  clock.advance(9500);
  const second = pool.connection(endpoint, ORDERS);
  expect(second).not.toBe(first);
  await readySession(second);
  expect((await session(first)).ok).toBe(false);

  // What was open on the old one lives on until it ends, and the connection with it.
  const closed = once(firstSession, 'close');
  const answered = once(open, 'response');
  stream.respond({ ':status': 200 }, { endStream: true });
  expect((await answered)[0][':status']).toBe(200);
  open.resume().end();
  await closed;
});

test('the same address under another name is another connection', async () => {
  const endpoint = await peer((socket) => void performServerHandshake(socket));
  const asOrders = pool.connection(endpoint, ORDERS);
  const asAdmin = pool.connection(endpoint, identityOf('admin'));
  await readySession(asOrders);
  const refused = await session(asAdmin);
  expect(refused.ok ? 'accepted' : refused.fault.code).toBe('peer-untrusted');
});

test('a peer that answers no ping is dead after 15 s, and its calls with it', async () => {
  const EMPTY_SETTINGS = Buffer.from('000000040000000000', 'hex');
  const endpoint = await peer((socket) => {
    socket.resume();
    socket.write(EMPTY_SETTINGS);
  });
  const connection = pool.connection(endpoint, ORDERS);
  const mute = await readySession(connection);
  const stream = mute.request({ ':method': 'POST', ':path': '/x' });
  stream.on('error', () => undefined);
  const closed = new Promise((resolve) => stream.once('close', resolve));
  clock.advance(10_000);
  expect(connection.isUsable).toBe(true);
  clock.advance(5000);
  expect(connection.isUsable).toBe(false);
  await closed;
});

test('a peer that answers pings lives', async () => {
  let pings = 0;
  const endpoint = await peer((socket) => performServerHandshake(socket).on('ping', () => pings++));
  const connection = pool.connection(endpoint, ORDERS);
  const alive: Http2Session = await readySession(connection);
  for (let round = 1; round <= 3; round++) {
    clock.advance(10_000);
    // Answers come in order: the ping that follows is answered after the one that the clock sent.
    await new Promise((answered) => alive.ping(answered));
    expect(pings).toBe(2 * round);
  }
  clock.advance(9000);
  expect(connection.isUsable).toBe(true);
});

test('a peer that never speaks TLS, or never HTTP/2, is given up after 2 s and 5 s', async () => {
  const endpoint = await peer((socket) => void socket.resume());
  const connection = pool.connection(endpoint, ORDERS);
  const failed = session(connection);
  while (clock.waiting().length === 0 || Math.max(...clock.waiting()) <= 2000) await new Promise(setImmediate);
  clock.advance(5000);
  const outcome = await failed;
  expect(outcome.ok ? 'connected' : outcome.fault.code).toBe('peer-unreachable');
});

test('a pool that is closed leaves nothing open', async () => {
  const endpoint = await peer((socket) => void performServerHandshake(socket));
  const mine = await readySession(pool.connection(endpoint, ORDERS));
  const closed = once(mine, 'close');
  pool.close();
  await closed;
  expect(clock.waiting()).toEqual([]);
});
