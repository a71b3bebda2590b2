// The program itself: its exit codes, its log, and that it lives until it is told to end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { podEnvironment } from './testing/pod-environment.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

function run(env: Readonly<Record<string, string>>, ...flags: readonly string[]) {
  const child = spawn(execPath, [...flags, MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: Record<string, unknown>[] = [];
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const [...whole] = (rest + chunk).split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) lines.push(JSON.parse(line));
  });
  return {
    child,
    lines,
    code: once(child, 'close').then(([code]): unknown => code),
    async logged(message: string) {
      while (!lines.some((line) => line.message === message)) await once(child.stdout, 'data');
    },
  };
}

test('it serves until SIGTERM, ends with 0, and every line of its log is JSON', async () => {
  const pod = await podEnvironment();
  onTestFinished(() => pod.close());
  const { child, logged, code, lines } = run(pod.env);
  await logged('listening');
  child.kill('SIGTERM');
  expect(await code).toBe(0);
  expect(lines.at(-1)).toMatchObject({ level: 'info', message: 'stopped', code: 0 });
});

test('it ends with 64 and a reason when its environment makes no sense', async () => {
  const { code, lines } = run({ INVOKE_SIDECAR: '{}' });
  expect(await code).toBe(64);
  expect(lines).toEqual([expect.objectContaining({ level: 'error', message: expect.stringContaining('appId') })]);
});

test('it ends with 1 when a port is taken', async () => {
  const pod = await podEnvironment();
  onTestFinished(() => pod.close());
  const first = run(pod.env);
  await first.logged('listening');
  const { code, lines } = run(pod.env);
  expect(await code).toBe(1);
  expect(lines.at(-1)).toMatchObject({ level: 'error', message: expect.stringContaining('is taken') });
});

test('it ends with 1 and a trace in the log when it finds a bug in itself', async () => {
  const pod = await podEnvironment();
  onTestFinished(() => pod.close());
  const bug = 'data:text/javascript,process.on("SIGUSR2", () => { throw new Error("a bug of the test") })';
  const { child, logged, code, lines } = run(pod.env, '--import', bug);
  await logged('listening');
  child.kill('SIGUSR2');
  expect(await code).toBe(1);
  expect(lines.at(-1)).toMatchObject({ level: 'error', error: expect.stringContaining('a bug of the test') });
});
