// A Dapr sidecar as the peer of ours: `daprd` calls an app beside our sidecar, and ours one beside `daprd`, over HTTP and gRPC. Needs
// Dapr's binaries, which DAPRD and DAPR_SENTRY name.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Cli, startProgram, throwawayFolder } from '../cli/testing.ts';
import { freePort } from '../kit/testing/ports.ts';
import { buildGoProgram, GO_BUILD_LIMIT_MS, type GoProgram } from '../wire/testing/programs.ts';
import { areDaprsBinariesThere, type DaprSentry, startDaprd, startDaprSentry, TRUST_DOMAIN } from './daprd/sidecar.ts';
import { endOfGroup, type Machine, machine } from './machine.ts';

/** Says what it was asked, and by whom according to its sidecar. */
const ECHO = `
  import { createServer } from 'node:http';
  createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url, headers } = request;
    const said = { method, url, mine: headers['x-mine'], caller: headers['dapr-caller-app-id'], bytes: Buffer.concat(chunks).length };
    response.writeHead(url.startsWith('/teapot') ? 418 : 200, { 'x-answered': 'yes', 'content-type': 'application/json' });
    response.end(JSON.stringify(said));
  }).listen(process.env.APP_PORT, '127.0.0.1', () => console.log('listens'));
`;
const ECHO_COMMAND = [execPath, '--input-type=module', '-e', ECHO] as const;

/** Who is permitted is known by the certificate that Dapr's authority issued. */
const POLICY = `
apiVersion: invoke.io/v1alpha1
kind: AccessPolicy
metadata: { name: shop, namespace: default }
spec:
  apps: [shop]
  rules:
    - { name: web, action: allow, from: [{ app: web, namespace: default }] }
    - { name: secrets, action: deny, to: [{ paths: [/secrets/**] }] }
`;

const IN_DOMAIN = ['--trust-domain', TRUST_DOMAIN] as const;

type Protocol = 'http' | 'grpc';
const DIRECTIONS = ['Dapr to ours', 'ours to Dapr'] as const;
type Direction = (typeof DIRECTIONS)[number];

/** What programs beside the caller call. */
interface Caller {
  readonly url: string;
  readonly grpcPort: number;
}

const atEnd = endOfGroup();
let laptop: Machine;
let sentry: DaprSentry;
let go: GoProgram | undefined;
const callers = new Map<`${Protocol}, ${Direction}`, Caller>();

beforeAll(async () => {
  if (!areDaprsBinariesThere) return;
  go = await buildGoProgram(join(import.meta.dirname, 'grpc-go'));
  if (go === undefined) throw new Error('this needs Go, for the gRPC app and its client');
  laptop = machine(atEnd);
  // The first sidecar makes the authority, whose issuer Dapr's is given, too.
  await laptop.sidecar('first', IN_DOMAIN);
  sentry = await startDaprSentry(laptop, atEnd);
  for (const protocol of ['http', 'grpc'] as const) {
    callers.set(`${protocol}, Dapr to ours`, await daprToOurs(protocol));
    callers.set(`${protocol}, ours to Dapr`, await oursToDapr(protocol));
  }
}, GO_BUILD_LIMIT_MS);
afterAll(() => go?.remove());
beforeEach(({ skip }) => skip(!areDaprsBinariesThere, 'DAPRD and DAPR_SENTRY name no binaries of Dapr'));

const commandOf = (protocol: Protocol) => (protocol === 'http' ? ECHO_COMMAND : [go?.path ?? '', 'serve']);

async function daprToOurs(protocol: Protocol): Promise<Caller> {
  const folder = throwawayFolder('resources', atEnd);
  writeFileSync(join(folder, 'policy.yaml'), POLICY);
  const flags = ['--app-protocol', protocol, '--resources-path', folder, ...IN_DOMAIN];
  const shop = await laptop.runCommand('shop', commandOf(protocol), flags);
  return startDaprd({ appId: 'web', sentry, peerPort: shop.peerPort }, atEnd);
}

async function oursToDapr(protocol: Protocol): Promise<Caller> {
  const port = await freePort();
  const [program = '', ...args] = commandOf(protocol);
  const app: Cli = startProgram(program, args, { APP_PORT: String(port) }, atEnd);
  if (protocol === 'http') await app.printed(/listens/);
  const shop = await startDaprd({ appId: 'shop', sentry, peerPort: 1, app: { port, protocol } }, atEnd);
  const names = ['--name-resolution', 'static', '--peer', `shop=127.0.0.1:${shop.peerPort}`];
  return laptop.sidecar('web', [...IN_DOMAIN, ...names]);
}

function callerOf(protocol: Protocol, direction: Direction): Caller {
  const caller = callers.get(`${protocol}, ${direction}`);
  if (caller === undefined) throw new Error('nothing was started');
  return caller;
}

test.for(DIRECTIONS)('%s: a call over HTTP passes whole, and the app learns who calls', async (direction) => {
  const { url } = callerOf('http', direction);
  const response = await fetch(`${url}/v1.0/invoke/shop/method/orders/7?full=yes&full=no`, {
    ...{ method: 'PUT', body: 'x'.repeat(300_000), headers: { 'x-mine': 'me' } },
  });
  expect([response.status, response.headers.get('x-answered')]).toEqual([200, 'yes']);
  expect(await response.json()).toEqual({
    ...{ method: 'PUT', url: '/orders/7?full=yes&full=no', mine: 'me', caller: 'web', bytes: 300_000 },
  });
});

test.for(DIRECTIONS)('%s: what the app answers is the answer, whatever its status', async (direction) => {
  const response = await fetch(`${callerOf('http', direction).url}/v1.0/invoke/shop/method/teapot`);
  expect([response.status, response.headers.get('x-answered')]).toEqual([418, 'yes']);
});

test('Dapr to ours: what a policy denies is told as denied, by the name of the rule', async () => {
  const response = await fetch(`${callerOf('http', 'Dapr to ours').url}/v1.0/invoke/shop/method/secrets/1`);
  expect(response.status).toBe(403);
  expect(await response.text()).toContain('default/shop/secrets');
});

test.for(DIRECTIONS)('%s: a call over gRPC passes with metadata both ways', async (direction) => {
  const [answer] = await said(direction, 'unary', 'x-sent', 'by me');
  expect(answer).toBe('OK ');
});

test.for(DIRECTIONS)('%s: what an error says in detail reaches the caller', async (direction) => {
  const [answer, detail] = await said(direction, 'details');
  expect(answer).toBe('FailedPrecondition no such order: größer');
  expect(detail).toBe('info NO_ORDER shop.example map[order:7]');
});

test.for(DIRECTIONS)('%s: twenty conversations at a time', async (direction) => {
  expect(await said(direction, 'many', '20')).toEqual(['good 20']);
});

/** What a client of gRPC beside the caller prints. */
async function said(direction: Direction, ...args: readonly string[]): Promise<string[]> {
  const { grpcPort } = callerOf('grpc', direction);
  const client = startProgram(go?.path ?? '', args, { DAPR_GRPC_PORT: String(grpcPort) });
  const code = await client.ended;
  if (code !== 0) throw new Error(`the client ended with ${code}: ${client.stdout()}${client.stderr()}`);
  return Buffer.from(client.stdout(), 'latin1').toString().trimEnd().split('\n');
}
