import { env, kill } from 'node:process';
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { spawnApp } from './children.ts';
import { app, silentHost, untilGone } from './testing.ts';

test('an app has ended only when the last of its output was taken, however slowly', async () => {
  const lines = 15_000;
  let text = '';
  let taking: () => void = () => undefined;
  const mayTake = new Promise<void>((resolve) => {
    taking = resolve;
  });
  const stdout = new Writable({
    write: (chunk, _encoding, done) => {
      text += chunk;
      void mayTake.then(() => done());
    },
  });
  const script = `for (let i = 0; i < ${lines}; i++) process.stdout.write(i + '\\n')`;
  const started = await spawnApp(app(script), env, '> ', { ...silentHost(), cwd: '/', stdout });
  if (started.kind === 'failed') return expect.fail(started.code);
  let hasEnded = false;
  void started.app.ended.then(() => {
    hasEnded = true;
  });
  await untilGone(started.app.pid);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(hasEnded).toBe(false);
  taking();
  expect(await started.app.ended).toBe(0);
  expect(text.split('\n').length - 1).toBe(lines);
});

test('a grandchild that keeps the output open does not keep the end from being told', async () => {
  const stdout = new PassThrough();
  const script = `
    import { spawn } from 'node:child_process';
    const grandchild = spawn('sleep', ['60'], { stdio: 'inherit', detached: true });
    console.log(grandchild.pid);
    grandchild.unref();`;
  const started = await spawnApp(app(script), env, '', { ...silentHost(), cwd: '/', stdout });
  if (started.kind === 'failed') return expect.fail(started.code);
  expect(await started.app.ended).toBe(0);
  const grandchildPid = Number(stdout.read().toString());
  expect(kill(grandchildPid, 'SIGKILL')).toBe(true);
});
