// Connecting to the app: on either loopback address, also where this process itself is slow, and not for long.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { throwawayCa } from '../../identity/testing.ts';
import { type Clock, systemClock } from '../../kit/clock.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { freePort, portOf } from '../../kit/testing/ports.ts';
import { hastyServer } from '../testing/hasty-server.ts';
import { certified } from '../testing/outside.ts';
import { connectToApp } from './connect.ts';
import { appTlsOptions } from './tls.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(host: string): Promise<number> {
  const server = createServer((socket) => socket.destroy()).listen(0, host);
  servers.push(server);
  await once(server, 'listening');
  return portOf(server);
}

/** Where the socket leads to, or why there is none; `meanwhile` comes right after the attempt was begun. */
function connected(
  port: number,
  clock: Clock = systemClock,
  meanwhile = () => {},
  host = 'localhost',
): Promise<string> {
  return new Promise((resolve) => {
    connectToApp({ host, port }, clock, (found) => {
      resolve(found.ok ? (found.value.remoteAddress ?? '') : found.error.cause);
      if (found.ok) found.value.destroy();
    });
    process.nextTick(meanwhile);
  });
}

test.each(['127.0.0.1', '::1'])('localhost is found where the app listens on %s alone', async (host) => {
  expect(await connected(await listen(host))).toBe(host);
});

test('localhost is reached on 127.0.0.1 also when this process stalls while it connects', async () => {
  const port = await listen('127.0.0.1');
  // From here timers come before sockets.
  await new Promise((resolve) => setImmediate(resolve));
  expect(await connected(port, systemClock, () => stall(600))).toBe('127.0.0.1');
});

/** As garbage collection or a busy machine does: timers that are due run before anything else is looked at. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('where nobody listens, it is said of which addresses', async () => {
  const port = await freePort();
  expect(await connected(port)).toMatch(/REFUSED 127\.0\.0\.1.*REFUSED ::1/);
  expect(await connected(port, systemClock, undefined, '127.0.0.1')).toMatch(/REFUSED 127\.0\.0\.1/);
});

test('an attempt that hangs is given up after two seconds, and leaves no timer behind', async () => {
  const clock = manualClock();
  const port = await listen('127.0.0.1');
  expect(await connected(port, clock, () => clock.advance(2000))).toBe('connecting took longer than 2000 ms');
  expect(await connected(port, clock, () => clock.advance(1999))).toBe('127.0.0.1');
  expect(clock.waiting()).toEqual([]);
});

test.each(['plain', 'over TLS'])('an app that answers early and hangs up is heard to the end: %s', async (how) => {
  const ca = throwawayCa();
  const isSecure = how !== 'plain';
  const server = await hastyServer(isSecure ? certified(ca) : undefined);
  const tls = isSecure ? appTlsOptions({ caPem: ca.anchors.join('') }, 'localhost', 'http/1.1') : undefined;
  const socket = await new Promise<Socket>((resolve) => {
    connectToApp({ host: 'localhost', port: server.port, tls }, systemClock, (found) => resolve(must(found)));
  });
  expect(await server.answerTo(socket)).toBe('answer');
});
