// What a stranger gets from the webhooks: the port is open to whoever reaches it, because the API server shows no certificate.
import { request } from 'node:https';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { createLog } from '../../kit/log.ts';
import { must, ok } from '../../kit/result.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../../kube/types.ts';
import { memoryStore } from '../testing-stores.ts';
import { startWebhooks } from './server.ts';
import { CONFIG, ours, podOf } from './testing.ts';

const MIB = 2 ** 20;
const STRANGER = '127.0.0.2';

let api: ApiServer;
let webhooks: Awaited<ReturnType<typeof open>>;
let lines: string[];
const sockets: { destroy(): void }[] = [];

async function open() {
  const log = createLog({ level: 'info', format: 'json', write: (line) => lines.push(line), now: () => 0 });
  return must(
    await startWebhooks({
      ...{
        config: CONFIG,
        kube: api.kube,
        namespacePolicies: memoryStore(),
        httpEndpoints: memoryStore(),
        clock: systemClock,
        random: () => 0.5,
      },
      ...{ ensureTrustBundle: async () => ok(undefined), log },
    }),
  );
}

beforeEach(async () => {
  lines = [];
  api = await startApiServer();
  for (const kind of [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS]) api.put(kind, { metadata: { name: 'invoke' } });
  webhooks = await open();
  await expect.poll(() => webhooks.unready()).toBeUndefined();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await webhooks.stop();
  await api.stop();
});

interface Ask {
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** What is sent; the request ends with it, unless more was announced. */
  readonly body?: string | Buffer;
  readonly isHeld?: boolean;
}

function ask({ from = '127.0.0.1', headers = {}, body = '', isHeld = false }: Ask) {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly text: string }>();
  const options = { host: '127.0.0.1', localAddress: from, port: webhooks.port, path: '/mutate/pods', method: 'POST' };
  const asked = request({ ...options, headers, agent: false, rejectUnauthorized: false }, (response) => {
    response.toArray().then((chunks) => resolve({ status: response.statusCode ?? 0, text: chunks.join('') }), reject);
  });
  sockets.push(asked);
  asked.on('error', reject);
  if (isHeld) asked.write(body);
  else asked.end(body);
  return { answer: promise, asked };
}

function reviewOf(object: object, uid = 'u-1'): string {
  const request = { uid, kind: { kind: 'Pod' }, namespace: 'shop', object };
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
}

/** Large bodies of which the last byte never comes; settles once the server has refused one. */
async function fillRoom(from: string, bodies: number): Promise<void> {
  const body = Buffer.alloc(4 * MIB - 1, ' ');
  const asked = Array.from({ length: bodies }, () =>
    ask({ from, headers: { 'content-length': 4 * MIB }, body, isHeld: true }),
  );
  const refused = asked.map(({ answer }) => answer.then(({ status }) => expect(status).toBe(503)));
  await Promise.any(refused);
  for (const one of refused) one.catch(() => undefined);
}

test('one address gets a part of the connections alone, and the rest is for the API server', async () => {
  let closed = 0;
  for (let i = 0; i < 600; i++) {
    const stranger = connect({ host: '127.0.0.1', port: webhooks.port, localAddress: STRANGER });
    stranger.on('error', () => undefined).on('close', () => closed++);
    sockets.push(stranger);
  }
  // Sooner than a handshake is given up.
  await expect.poll(() => closed, { timeout: 4000 }).toBe(600 - 512);
  const { status } = await ask({ body: reviewOf(podOf({ 'app-id': 'web' })) }).answer;
  expect(status).toBe(200);
});

test('whoever fills the room for large bodies leaves some for others, and gets no more than theirs', async () => {
  await fillRoom(STRANGER, 7);
  expect((await ask({ from: STRANGER, body: reviewOf(podOf({})) }).answer).status).toBe(503);
  const { status, text } = await ask({ body: reviewOf({ ...podOf({}), padding: ' '.repeat(3 * MIB) }) }).answer;
  expect([status, text]).toEqual([200, expect.stringContaining('"allowed":true')]);
});

test('what was answered or broken off makes room for the next', async () => {
  const large = reviewOf({ ...podOf({}), padding: ' '.repeat(3 * MIB) });
  for (let i = 0; i < 12; i++) expect((await ask({ body: large }).answer).status).toBe(200);
  await fillRoom(STRANGER, 7);
  for (const socket of sockets.splice(0)) socket.destroy();
  await expect.poll(async () => (await ask({ from: STRANGER, body: large }).answer).status).toBe(200);
});

test.each([
  ['a body of a length that was not told', { headers: { 'transfer-encoding': 'chunked' }, body: '{}' }, 411],
  ['more than any review has', { headers: { 'content-length': 5 * MIB }, body: '{}', isHeld: true }, 413],
  ['a small body that is large once unpacked', { headers: { 'content-encoding': 'gzip' }, body: gzipSync('{}') }, 400],
])('%s is not read', async (_what, given: Ask, status) => {
  const answer = await ask(given).answer;
  expect(answer).toEqual({ status, text: expect.stringMatching(/^Invoke's webhook /) });
});

test('a refusal of endless names writes a line that ends', async () => {
  const long = 'x'.repeat(100_000);
  const pod = {
    ...podOf({ 'app-id': long }),
    metadata: { name: long, annotations: ours({ 'app-id': long, [long]: long }) },
  };
  const { text } = await ask({ body: reviewOf(pod) }).answer;
  expect(text).toContain('Invoke refuses pod');
  await expect.poll(() => lines.filter((line) => line.includes('refused'))).toHaveLength(1);
  expect(lines.every((line) => line.length < 10_000)).toBe(true);
  expect((await ask({ body: reviewOf(pod, long) }).answer).status).toBe(400);
});
