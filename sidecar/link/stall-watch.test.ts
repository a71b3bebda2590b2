// Connections to an app that stands still: found by one ping, and only while somebody waits there.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import type { Http2ClientConnection } from '../../wire/http2/client.ts';
import type { Serve } from '../../wire/message.ts';
import { request } from '../../wire/testing/h2c-client.ts';
import { type H2cServer, h2cServer } from '../../wire/testing/h2c-server.ts';
import { Recorder } from '../../wire/testing/recorder.ts';
import { AppHttp2Pool } from '../app/http2-pool.ts';
import { dialPlain, type Join, type Relay, relay } from '../testing/relay.ts';

const PING = 6;

/** A wire to the app that the test can hold still, and on which it sees the frames that pass. */
class Wire {
  isStill = false;
  /** Types of the frames that came from us, each written by one write. */
  readonly frames: number[] = [];

  readonly join: Join = (near, far) => {
    near.on('data', (chunk: Buffer) => {
      this.frames.push(chunk[3] ?? 0);
      if (!this.isStill) far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => this.isStill || near.write(chunk));
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  };

  get pings(): number {
    return this.frames.filter((type) => type === PING).length;
  }
}

/** Answers nothing until it is told. */
const SILENT: Serve = () => ({
  data: () => 'ok',
  end: () => undefined,
  abort: () => undefined,
  resume: () => undefined,
  cancel: () => undefined,
});

let clock: ReturnType<typeof manualClock>;
let app: H2cServer;
let wire: Wire;
let between: Relay;
let pool: AppHttp2Pool;

beforeEach(async () => {
  clock = manualClock();
  app = await h2cServer(SILENT);
  wire = new Wire();
  between = await relay(dialPlain(app.port), wire.join);
  pool = new AppHttp2Pool({ host: '127.0.0.1', port: between.port }, clock);
});
afterEach(async () => {
  pool.destroy();
  await between.close();
  await app.close();
});

async function connectionNow(): Promise<Http2ClientConnection> {
  return (
    pool.ready ??
    new Promise((use, failed) => pool.wait((found) => (found.ok ? use(found.value) : failed(found.error.cause))))
  );
}

/** A call that is open at the app. */
async function openCall(): Promise<{ connection: Http2ClientConnection; recorder: Recorder }> {
  const connection = await connectionNow();
  const recorder = new Recorder();
  const before = [...app.connections].reduce((sum, { streamCount }) => sum + streamCount, 0);
  connection.request(request({ method: 'POST' }), recorder);
  await expect.poll(() => [...app.connections].reduce((sum, { streamCount }) => sum + streamCount, 0)).toBe(before + 1);
  return { connection, recorder };
}

test('one that stands still gets no new call, and keeps those that it has', async () => {
  const { connection, recorder } = await openCall();
  clock.advance(10_000);
  wire.isStill = true;
  clock.advance(10_000);
  await expect.poll(() => wire.pings).toBe(1);
  expect(pool.ready).toBe(connection);
  clock.advance(10_000);
  expect(pool.ready).toBeUndefined();
  expect(connection.streamCount).toBe(1);
  expect(recorder.outcomes).toEqual([]);
  wire.isStill = false;
  expect(await connectionNow()).not.toBe(connection);
});

test('one that answers the ping is kept, and is not pinged again within five minutes', async () => {
  const { connection } = await openCall();
  clock.advance(20_000);
  await expect.poll(() => wire.pings).toBe(1);
  // A ping of the test's own, whose answer comes behind the other's.
  await new Promise<void>((answered) => connection.ping(answered));
  clock.advance(300_000);
  expect([wire.pings, pool.ready]).toEqual([2, connection]);
  clock.advance(20_000);
  await expect.poll(() => wire.pings).toBe(3);
});

test('one without calls is never pinged, and then nothing waits for the clock', async () => {
  const connection = await connectionNow();
  expect(pool.ready).toBe(connection);
  clock.advance(10_000);
  clock.advance(60_000);
  expect(clock.waiting()).toEqual([]);
  expect(wire.pings).toBe(0);
});
