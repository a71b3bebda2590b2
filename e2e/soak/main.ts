// The long run: certificates that live for a minute, and calls for three, of which none may fail.
//
//   npm run soak              60 s certificates, 180 s of calls
//   npm run soak -- --short   10 s certificates, 25 s of calls: two renewals, for the gate
//
// Real processes: an authority of its own with the short certificates, a caller and a callee. It ends by itself and
// exits with 1 if a call failed, or if a certificate was not renewed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../kit/testing/ports.ts';

const isShort = process.argv.includes('--short');
const TTL_SEC = isShort ? 10 : 60;
const DURATION_SEC = isShort ? 25 : 180;
/** Half the life each, give or take; the first is counted too. */
const CERTIFICATES_MIN = Math.floor(DURATION_SEC / TTL_SEC);

const invokectl = fileURLToPath(new URL('../../bin/invokectl', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'invoke-soak-'));
const children: ChildProcess[] = [];

interface Started {
  readonly child: ChildProcess;
  readonly lines: string[];
  saw(pattern: RegExp): Promise<RegExpExecArray>;
}

function start(...args: readonly string[]): Started {
  const child = spawn(invokectl, args, {
    env: { ...process.env, INVOKE_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const lines: string[] = [];
  const looks = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const look of looks) look(line);
    });
  }
  const saw = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((found, failed) => {
      const look = (line: string) => {
        const match = pattern.exec(line);
        if (match) found(match);
      };
      looks.add(look);
      for (const line of lines) look(line);
      child.once('exit', () => failed(new Error(`invokectl ${args[0]} ended:\n${lines.join('\n')}`)));
    });
  return { child, lines, saw };
}

const ECHO = `
  import { createServer } from 'node:http';
  createServer((request, response) => request.pipe(response)).listen(process.env.APP_PORT, '127.0.0.1');
`;

interface Tally {
  calls: number;
  readonly failures: string[];
}

async function callUntil(endMs: number, url: string, tally: Tally): Promise<void> {
  while (performance.now() < endMs) {
    const body = `call ${tally.calls++}`;
    try {
      const answer = await fetch(url, { method: 'POST', body });
      const text = await answer.text();
      if (answer.status !== 200 || text !== body) tally.failures.push(`${answer.status} ${text}`);
    } catch (error) {
      tally.failures.push(`${String(error)} ${error instanceof Error ? String(error.cause) : ''}`);
    }
  }
}

async function main(): Promise<boolean> {
  const common = ['--workload-cert-ttl', `${TTL_SEC}s`, '--http-port', '0', '--metrics-port', '0'];
  const caller = start('sidecar', '--app-id', 'caller', ...common);
  const [, port = ''] = await caller.saw(/listening.*http=(\d+)/);
  await caller.saw(/certificate received/);
  const app = ['--', process.execPath, '--input-type=module', '-e', ECHO];
  const callee = start('run', '--app-id', 'callee', '--app-port', String(await freePort()), ...common, ...app);
  await callee.saw(/the app listens/);

  console.log(`certificates of ${TTL_SEC} s, calls for ${DURATION_SEC} s …`);
  const tally: Tally = { calls: 0, failures: [] };
  const endMs = performance.now() + DURATION_SEC * 1000;
  const url = `http://127.0.0.1:${port}/v1.0/invoke/callee/method/echo`;
  await Promise.all([1, 2, 3, 4].map(() => callUntil(endMs, url, tally)));

  const certificates = [caller, callee].map(
    ({ lines }) => lines.filter((line) => line.includes('certificate received')).length,
  );
  console.log(
    `${tally.calls} calls, ${tally.failures.length} failed; certificates seen by caller and callee: ${certificates.join(', ')}`,
  );
  for (const failure of tally.failures.slice(0, 10)) console.log(`  ${failure}`);
  return tally.failures.length === 0 && certificates.every((count) => count > CERTIFICATES_MIN);
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} finally {
  const ended = children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined));
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(ended);
  rmSync(home, { recursive: true, force: true });
}
