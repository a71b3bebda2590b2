// A call that is cut off at any byte, on any of its three connections, either way, has one outcome at the caller, reaches
// the app once at most, and leaves nothing behind: no connection, no call under way, no timer.
import type { RequestListener, Server } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../kit/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { runs } from '../../kit/testing/runs.ts';
import { type Cut, type CuttingRelay, cuttingRelay, type Way } from '../testing/cutting-relay.ts';
import { listening, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { dialPlain } from '../testing/relay.ts';
import { RawClient, to } from './testing.ts';

type Hop = 'client' | 'peer' | 'app';
const HOPS: readonly Hop[] = ['client', 'peer', 'app'];
const WAYS: readonly Way[] = ['up', 'down'];
const BODY = 'hello, world';
const HALF = 7;
const REQUEST = [
  `POST ${to('callee', '/a')} HTTP/1.1`,
  ...['Host: 127.0.0.1', 'Connection: close', 'Transfer-Encoding: chunked', ''],
  ...['7', BODY.slice(0, HALF), '5', BODY.slice(HALF), '0', '', ''],
].join('\r\n');

/** Of the app: whether it ends its answers, how often it was asked since the last call began, and what it has not done with. */
let manner: 'answers' | 'waits' = 'answers';
let asked = 0;
let answering = 0;
const app: RequestListener = (request, response) => {
  asked++;
  answering++;
  response.on('close', () => answering--);
  const chunks: Buffer[] = [];
  request.on('error', () => undefined);
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write(body.subarray(0, HALF));
    // What was cut off before it came here is tried again, and that try goes well.
    const isCut = HOPS.some((hop) => relays[hop].cutPair.length > 0);
    if (manner === 'answers' || isCut) setImmediate(() => response.end(body.subarray(HALF)));
  });
};

let timers = 0;
const clock: Clock = {
  ...systemClock,
  after(delayMs, task) {
    timers++;
    let isWaiting = true;
    const settle = () => {
      if (isWaiting) timers--;
      isWaiting = false;
    };
    const cancel = systemClock.after(delayMs, () => {
      settle();
      task();
    });
    return () => {
      settle();
      cancel();
    };
  },
};

let server: Server;
let mesh: Mesh;
let caller: MeshSidecar;
let callee: MeshSidecar;
let relays: Readonly<Record<Hop, CuttingRelay>>;

beforeAll(async () => {
  mesh = await startMesh();
  server = await listening(app);
  // What is idle stays, so that it can be counted.
  server.keepAliveTimeout = 0;
  const appRelay = await cuttingRelay(dialPlain(portOf(server)));
  const behindRelay = { app: { port: appRelay.port, host: '127.0.0.1', token: undefined } };
  [caller, callee] = await Promise.all([
    mesh.start('caller', { clock }),
    mesh.start('callee', { clock, config: behindRelay }),
  ]);
  const peer = await cuttingRelay(dialPlain(callee.sidecar.ports.peer));
  mesh.point('callee', [{ host: '127.0.0.1', port: peer.port }]);
  const client = await cuttingRelay(dialPlain(caller.sidecar.ports.http));
  relays = { client, peer, app: appRelay };
});
afterAll(async () => {
  for (const hop of HOPS) await relays[hop].close();
  await mesh.close();
  server.close();
});

const WHOLE = { status: 200, body: BODY, fault: undefined, isWhole: true };

/** All that came back on a connection of its own. */
async function call(): Promise<string> {
  asked = 0;
  const client = await RawClient.connect(relays.client.port);
  client.write(REQUEST);
  const received = await client.ended;
  client.socket.destroy();
  return received;
}

/** On each connection, each way; of an app that waits, to the first half of its answer. */
async function bytesOfCall(of: typeof manner): Promise<Record<Hop, Record<Way, number>>> {
  for (const hop of HOPS) relays[hop].arm();
  manner = of;
  const client = await RawClient.connect(relays.client.port);
  client.write(REQUEST);
  if (of === 'waits') await client.until(/hello, /);
  else expect(read(await client.ended)).toEqual(WHOLE);
  // A handshake is some bytes longer or shorter than another, and an app that waits must be cut off.
  const spare = of === 'waits' ? 10 : 0;
  const passed = (hop: Hop) => ({ up: relays[hop].passed('up') - spare, down: relays[hop].passed('down') - spare });
  const bytes = { client: passed('client'), peer: passed('peer'), app: passed('app') };
  client.socket.destroy();
  await expect.poll(() => [relays.client.sockets.size, answering]).toEqual([0, 0]);
  manner = 'answers';
  return bytes;
}

async function bytesOfFirstCall(of: typeof manner) {
  await forgetConnections();
  return bytesOfCall(of);
}

/** What comes and goes with calls. */
interface Counts {
  readonly timers: number;
  readonly sockets: number;
  readonly answering: number;
  readonly outbound: number;
  readonly inbound: number;
}

async function counts(): Promise<Counts> {
  const outbound = await metric(caller, 'invoke_requests_in_flight');
  const inbound = await metric(callee, 'invoke_requests_in_flight');
  const sockets = process.getActiveResourcesInfo().filter((name) => /^(TCPSocket|TLS)/.test(name)).length;
  return { timers, sockets, answering, outbound, inbound };
}

/** Names of what there is more of. Fewer timers are none: one may have run out since. */
function leftSince(before: Counts, now: Counts): string[] {
  return Object.entries(now).flatMap(([name, count]) =>
    count > before[name as keyof Counts] ? [`${name}: ${count}`] : [],
  );
}

/** The sum over its labels. */
async function metric({ sidecar }: MeshSidecar, name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${sidecar.ports.metrics}/metrics`, { headers: { connection: 'close' } });
  const lines = (await answer.text()).split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** One answer, or undefined for none. Throws at two. */
function read(received: string) {
  const [head = '', ...rest] = received.split('\r\n\r\n');
  if (rest.length === 0) return undefined;
  expect(received.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
  const text = rest.join('\r\n\r\n');
  const lengthText = /^content-length: (\d+)/im.exec(head)?.[1];
  const isWhole = lengthText === undefined ? /(^|\r\n)0\r\n\r\n$/.test(text) : text.length === Number(lengthText);
  const body = lengthText === undefined ? text.replace(/[0-9a-f]+\r\n([^\r]*)\r\n/g, '$1').trim() : text;
  const fault = /^invoke-fault: (.*)$/im.exec(head)?.[1]?.trim();
  return { status: Number(head.split(' ')[1]), body, fault, isWhole };
}

/** An answer of the app, whole or broken off; or a fault, whole. To half a request an app says 400 by itself. */
function expectOneOutcome(received: string): void {
  const answer = read(received);
  expect(answer, 'an answer').toBeDefined();
  if (answer?.fault !== undefined) {
    expect(answer).toMatchObject({ isWhole: true, status: expect.toSatisfy((status: number) => status >= 500) });
    expect(JSON.parse(answer.body)).toMatchObject({ details: { fault: answer.fault } });
  } else {
    expect([200, 400]).toContain(answer?.status);
    if (answer?.isWhole) expect(answer.body).toBe(answer.status === 200 ? BODY : '');
  }
}

const cuts = fc.record({
  hop: fc.constantFrom(...HOPS),
  way: fc.constantFrom(...WAYS),
  how: fc.constantFrom<Cut['how']>('break', 'hang-up'),
  temperature: fc.constantFrom('warm' as const, 'cold' as const),
  /** In thousandths of the call. */
  place: fc.nat(999),
  /** One that waits hears from nobody but the cut that there is nothing to wait for. */
  appDoes: fc.constantFrom('answers' as const, 'waits' as const),
});

test('a call that is cut off has one outcome, and nothing is left of it', async () => {
  const cutsMade = new Set<Hop>();
  const usual = {
    cold: { waits: await bytesOfFirstCall('waits'), answers: await bytesOfFirstCall('answers') },
    warm: { answers: await bytesOfCall('answers'), waits: await bytesOfCall('waits') },
  };
  await forgetConnections();
  const idle = await counts();
  await fc.assert(
    fc.asyncProperty(cuts, async ({ hop, way, how, temperature, place, appDoes }) => {
      if (temperature === 'warm') await call();
      const before = await metric(caller, 'invoke_requests_total');
      const relay = relays[hop];
      manner = appDoes;
      relay.arm({ way, how, atByte: 1 + Math.floor((place * usual[temperature][appDoes][hop][way]) / 1000) });
      const received = await call();
      manner = 'answers';
      const reached = asked;
      if (hop !== 'client') expectOneOutcome(received);
      else read(received);
      expect(reached, 'the app was asked').toBeLessThanOrEqual(1);
      if (relay.cutPair.length > 0) cutsMade.add(hop);
      // Both who were cut apart have left.
      await expect.poll(() => relay.cutPair.filter(({ closed }) => !closed)).toEqual([]);
      relay.arm();
      // Calls go on as if nothing had been, and without connections there is what there was before.
      expect(read(await call())).toEqual(WHOLE);
      await forgetConnections();
      await expect.poll(async () => leftSince(idle, await counts())).toEqual([]);
      const counted = (await metric(caller, 'invoke_requests_total')) - before;
      if (hop === 'client') expect([1, 2]).toContain(counted);
      else expect(counted).toBe(2);
    }),
    runs(60),
  );
  expect([...cutsMade].sort()).toEqual([...HOPS].sort());
});

/** Those that are kept between calls: the next call makes its own. */
async function forgetConnections(): Promise<void> {
  for (const socket of [...relays.peer.sockets, ...relays.app.sockets]) socket.destroy();
  await expect.poll(() => HOPS.map((hop) => relays[hop].sockets.size)).toEqual([0, 0, 0]);
}
