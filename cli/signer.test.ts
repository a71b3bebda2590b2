// Who hosts the authority of this machine: one at a time, and another when that one ends.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseTrustDomain } from '../api/ids.ts';
import { systemClock } from '../kit/clock.ts';
import { silentLog } from '../kit/log.ts';
import { err, must, ok } from '../kit/result.ts';
import type { SignerConfig } from './flags.ts';
import { type HostSentry, keepSigner } from './signer.ts';

function throwawayConfig(): SignerConfig {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'ca-'));
  onTestFinished(() => rmSync(stateDirectory, { recursive: true, force: true }));
  const trustDomain = must(parseTrustDomain('cluster.local'));
  return { stateDirectory, socketPath: join(stateDirectory, 'sign.sock'), trustDomain, workloadCertTtlMs: undefined };
}

/** A stand-in that holds the socket as the real one does: one host at a time. */
function machine() {
  const hosts: string[] = [];
  const waiting: (() => void)[] = [];
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  const hostAs =
    (name: string): HostSentry =>
    async ({ socketPath }) => {
      if (server !== undefined) return err({ kind: 'already-served' });
      const own = createServer((socket) => sockets.add(socket));
      server = own;
      await new Promise<void>((resolve) => own.listen(socketPath, resolve));
      hosts.push(name);
      for (const done of waiting.splice(0)) done();
      return ok({ stop: () => crash(own) });
    };
  async function crash(own: Server): Promise<void> {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => own.close(resolve));
    if (server === own) server = undefined;
  }
  const open = (name: string, hostSentry = hostAs(name)) => ({
    hostSentry,
    clock: systemClock,
    random: () => 0,
    log: silentLog,
  });
  return { hosts, open, nextHost: () => new Promise<void>((resolve) => waiting.push(resolve)) };
}

test('the first hosts the authority, and of those who watch one takes over each time the host ends', async () => {
  const config = throwawayConfig();
  const { hosts, open, nextHost } = machine();
  const signers = new Map<string, { stop(): Promise<void> }>();
  for (const name of ['a', 'b', 'c']) signers.set(name, must(await keepSigner(config, open(name))));
  expect(hosts).toEqual(['a']);
  for (const expected of [2, 3]) {
    const taken = nextHost();
    await signers.get(hosts.at(-1) ?? '')?.stop();
    await taken;
    expect(hosts).toHaveLength(expected);
  }
  expect([...hosts].sort()).toEqual(['a', 'b', 'c']);
  await signers.get(hosts.at(-1) ?? '')?.stop();
});

test('one that only watched hosts nothing after it was stopped', async () => {
  const config = throwawayConfig();
  const { hosts, open } = machine();
  const first = must(await keepSigner(config, open('a')));
  const second = must(await keepSigner(config, open('b')));
  await second.stop();
  await first.stop();
  const third = must(await keepSigner(config, open('c')));
  expect(hosts).toEqual(['a', 'c']);
  await third.stop();
});

test('where somebody serves, nobody else opens the authority', async () => {
  const config = throwawayConfig();
  const { open } = machine();
  const first = must(await keepSigner(config, open('a')));
  const untouched: HostSentry = async () => expect.fail('it was opened once more');
  const second = must(await keepSigner(config, open('b', untouched)));
  await second.stop();
  await first.stop();
});

test('whoever asks for a lifetime is told when another host decides it, and nobody else is told', async () => {
  const config = throwawayConfig();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const { open } = machine();
  const own = { ...config, workloadCertTtlMs: 60_000 };
  const signers = [
    must(await keepSigner(own, { ...open('a'), log })),
    must(await keepSigner(config, { ...open('b'), log })),
  ];
  expect(warnings).toEqual([]);
  signers.push(must(await keepSigner(own, { ...open('c'), log })));
  expect(warnings).toEqual([expect.stringMatching(/^--workload-cert-ttl has no effect: another invokectl hosts/)]);
  for (const signer of signers.reverse()) await signer.stop();
});

test('a host that fails to take over tries again', async () => {
  const config = throwawayConfig();
  const { hosts, open, nextHost } = machine();
  const first = must(await keepSigner(config, open('a')));
  const real = open('b').hostSentry;
  const answers = ['already-served', 'failed', 'failed'];
  const failing: HostSentry = async (asked) => {
    const answer = answers.shift();
    if (answer === 'already-served') return err({ kind: 'already-served' });
    return answer === undefined ? real(asked) : err({ kind: 'failed', message: 'the disk is full' });
  };
  const second = must(await keepSigner(config, open('b', failing)));
  const taken = nextHost();
  await first.stop();
  await taken;
  expect(hosts).toEqual(['a', 'b']);
  await second.stop();
});

test('an authority that cannot start is a reason, and so is a path too long for a socket', async () => {
  const config = throwawayConfig();
  const { open } = machine();
  const failing: HostSentry = async () => err({ kind: 'failed', message: 'the disk is full' });
  expect(await keepSigner(config, open('a', failing))).toEqual({ ok: false, error: 'the disk is full' });
  const long = { ...config, socketPath: `/${'x'.repeat(103)}` };
  expect(await keepSigner(long, open('a'))).toEqual({
    ok: false,
    error: expect.stringContaining('set INVOKE_HOME to a shorter'),
  });
});
