// The connections to the app that tunnels are opened on.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Result } from '../../kit/result.ts';
import { must } from '../../kit/result.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { freePort } from '../../kit/testing/ports.ts';
import type { Http1ClientConnection } from '../../wire/http1/client.ts';
import { ReceivedResponse, requestHead } from '../../wire/http1/testing/drive.ts';
import type { ConnectProblem } from './connect.ts';
import { RawApp } from './testing.ts';
import { AppTunnels } from './tunnels.ts';

let app: RawApp;
let clock: ManualClock;
let tunnels: AppTunnels;
beforeEach(async () => {
  app = await RawApp.listen('127.0.0.1');
  clock = manualClock();
  tunnels = new AppTunnels({ host: '127.0.0.1', port: app.port }, clock, 2);
});
afterEach(async () => {
  tunnels.destroy();
  await app.close();
});

type Connected = Result<Http1ClientConnection, ConnectProblem>;

function connected(to = tunnels): Promise<Connected> {
  return new Promise((done, failed) => {
    if (to.connect(done) === undefined) failed(new Error('there are too many'));
  });
}

test('there are only so many at once, those that are being made among them', async () => {
  const first = connected();
  const second = connected();
  expect(tunnels.connect(() => undefined)).toBeUndefined();
  const connection = must(await first);
  await second;
  expect(tunnels.connect(() => undefined)).toBeUndefined();
  connection.destroy();
  await expect.poll(() => connected().then(() => 'another')).toBe('another');
});

test('each is a connection of its own', async () => {
  await connected();
  await connected();
  await expect.poll(() => app.sockets.length).toBe(2);
});

test('one that is not wanted any more is closed, and takes no place', async () => {
  let isUsed = false;
  const cancel = tunnels.connect(() => {
    isUsed = true;
  });
  cancel?.();
  await connected();
  await connected();
  expect(isUsed).toBe(false);
});

test('where nobody listens it is said', async () => {
  const nowhere = new AppTunnels({ host: '127.0.0.1', port: await freePort() }, clock);
  expect(await connected(nowhere)).toMatchObject({ ok: false, error: { kind: 'no-connection' } });
});

test('one that was answered otherwise ends, and is broken off where the app does not end it, too', async () => {
  const connection = must(await connected());
  const answer = new ReceivedResponse();
  connection.request(requestHead({ upgrade: 'websocket' }), answer);
  await expect.poll(() => app.received[0]).toContain('upgrade: websocket');
  app.sockets[0]?.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
  await expect.poll(() => connection.isIdle).toBe(true);
  tunnels.leave(connection);
  expect(clock.waiting()).toEqual([1000]);
  clock.advance(1000);
  await expect.poll(() => app.sockets[0]?.destroyed || app.sockets[0]?.readableEnded).toBe(true);
  await expect
    .poll(() =>
      connected()
        .then(() => connected())
        .then(() => 'room for two'),
    )
    .toBe('room for two');
});

test('the end of the sidecar breaks them all off', async () => {
  must(await connected());
  await expect.poll(() => app.sockets.length).toBe(1);
  const gone = new Promise((closed) => app.sockets[0]?.once('close', closed));
  tunnels.destroy();
  await gone;
});
