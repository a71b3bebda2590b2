// The demonstration behind `npm run demo`: two apps in two languages call each other by name on this machine, and
// strangers do not get in. Everything happens in a throwaway folder and is gone at the end.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Identity, parseSpiffeId } from '../../api/ids.ts';
import { startIdentity } from '../../identity/source.ts';
import type { Credentials } from '../../identity/svid.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { knockAsFriend, knockAsStrangers } from './strangers.ts';

const ORDERS = 12;
const WITHIN_MS = 50_000;
const SENDER_ID = 'spiffe://cluster.local/ns/default/sender';

const here = dirname(fileURLToPath(import.meta.url));
const invokectl = join(here, '../../bin/invokectl');
const home = mkdtempSync(join(tmpdir(), 'hello-'));
const env = { ...process.env, INVOKE_HOME: home };
/** What runs, and its end. */
const running = new Map<ChildProcess, Promise<unknown>>();
const failures: string[] = [];

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}

function check(isSo: boolean, text: string): void {
  tell(`   ${isSo ? '✓' : '✗'} ${text}`);
  if (!isSo) failures.push(text);
}

/** Starts `invokectl …`, prints what it prints, and keeps the lines. */
function start(args: readonly string[]) {
  const child = spawn(invokectl, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    tell(`     ${line}`);
  });
  child.stderr.on('data', (chunk: Buffer) => lines.push(...chunk.toString().split('\n')));
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child);
    return Number(code);
  });
  running.set(child, ended);
  return { lines, ended };
}

interface ListedApp {
  readonly appId: string;
  readonly ready: boolean;
  readonly peerPort: number;
}

function list(): readonly ListedApp[] {
  const { stdout } = spawnSync(invokectl, ['list', '-o', 'json'], { env, encoding: 'utf8' });
  return stdout === '' ? [] : JSON.parse(stdout);
}

async function untilReady(appId: string): Promise<ListedApp> {
  for (;;) {
    const app = list().find((listed) => listed.appId === appId);
    if (app?.ready) return app;
    await new Promise<void>((resolve) => systemClock.after(100, resolve));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** From the certificate authority that `invokectl run` has put into the throwaway folder. */
function credentialsOf({ app, namespace, trustDomain }: Identity): Promise<Credentials> {
  const endpoint = { kind: 'socket', path: join(home, 'ca/sign.sock') } as const;
  const tools = { clock: systemClock, random: Math.random, log: silentLog };
  const source = startIdentity({ endpoint, appId: app, namespace, trustDomain, ...tools });
  return new Promise((resolve) =>
    source.firstReady(() => {
      source.stop();
      const credentials = source.credentials.current();
      if (credentials !== undefined) resolve(credentials);
    }),
  );
}

/** The command that sends, and what it is written in. */
function sender(): { readonly language: string; readonly command: readonly string[] } {
  const hasPython = spawnSync('python3', ['-c', 'import urllib.request']).status === 0;
  if (hasPython) return { language: 'Python', command: ['python3', join(here, 'sender.py')] };
  tell('There is no Python 3 here, so the sender in Node takes its place.\n');
  return { language: 'Node', command: [process.execPath, join(here, 'sender.mjs')] };
}

async function demonstrate(): Promise<void> {
  const { language, command } = sender();
  const appPort = String(await freePort());
  const receiverCommand = [process.execPath, join(here, 'receiver.mjs')];

  tell('1. A receiver (Node) is started with a sidecar beside it.');
  const receiver = start(['run', '--app-id', 'receiver', '--app-port', appPort, '--', ...receiverCommand]);
  const failed = receiver.ended.then(() => {
    throw new Error(`the receiver ended before its time:\n${receiver.lines.join('\n')}`);
  });
  failed.catch(() => undefined);
  const { peerPort } = await Promise.race([untilReady('receiver'), failed]);

  tell(`\n2. A sender (${language}) posts ${ORDERS} orders to "receiver", by name, and claims to be somebody else.`);
  const sending = start(['run', '--app-id', 'sender', '--', ...command]);
  check((await sending.ended) === 0, `the sender ended well, and its sidecar with it${hint(sending.lines)}`);
  const orders = receiver.lines.filter((line) => /order \d+: /.test(line));
  check(new Set(orders).size === ORDERS, `${orders.length} of ${ORDERS} orders arrived`);
  check(
    orders.every((order) => order.endsWith(`from sender (${SENDER_ID})`)),
    `each as ${SENDER_ID}, which a certificate proves`,
  );

  tell(`\n3. Strangers knock at the receiver's sidecar (port ${peerPort}).`);
  for (const { says, isAnswered, end } of await knockAsStrangers(peerPort, must(parseSpiffeId(SENDER_ID)))) {
    check(!isAnswered, `${says} is refused (${end})`);
  }
  const friend = await knockAsFriend(peerPort, await credentialsOf(must(parseSpiffeId(SENDER_ID))));
  check(friend.isAnswered, `${friend.says} is ${friend.end}: it was the certificate that decided`);
  check(
    receiver.lines.filter((line) => /order \d+: /.test(line)).length === ORDERS,
    'none of this reached the receiver',
  );

  tell('\n4. Everything is stopped.');
  spawnSync(invokectl, ['stop', '--all'], { env });
  check((await receiver.ended) === 0, 'the receiver and its sidecar ended well');
  check(list().length === 0, 'nothing is left running');
}

function hint(lines: readonly string[]): string {
  const why = lines.filter((line) => /not taken|ERROR|invokectl:/.test(line));
  return why.length === 0 ? '' : `: ${why.join('; ')}`;
}

/** Leaves nothing behind, whatever has happened. */
async function finish(exitCode: number): Promise<never> {
  for (const child of running.keys()) child.kill('SIGTERM');
  await Promise.all(running.values());
  rmSync(home, { recursive: true, force: true });
  process.exit(exitCode);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void finish(1));
systemClock.after(WITHIN_MS, () => {
  tell(`✗ not done within ${WITHIN_MS / 1000} s`);
  void finish(1);
});

tell('Hello: two apps call each other by name, over mutual TLS that neither of them knows of.\n');
await demonstrate().catch((error: unknown) => check(false, error instanceof Error ? error.message : String(error)));
tell(failures.length === 0 ? '\nAll of it happened as told.' : `\n${failures.length} of it did not happen as told.`);
await finish(failures.length === 0 ? 0 : 1);
