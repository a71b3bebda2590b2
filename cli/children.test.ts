// The end of an app, told once its output is through and never held up by what it left behind.
import { once } from 'node:events';
import { env, kill } from 'node:process';
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { spawnApp } from './children.ts';
import { app, silentHost } from './testing.ts';

test('when an app has ended, all that it printed was handed on, however slowly it is taken', async () => {
  const lines = 15_000;
  let text = '';
  const stdout = new Writable({
    highWaterMark: 1,
    write: (chunk, _encoding, done) => {
      text += chunk;
      setImmediate(done);
    },
  });
  const script = `for (let i = 0; i < ${lines}; i++) process.stdout.write(i + '\\n')`;
  const started = await spawnApp(app(script), env, '> ', { ...silentHost(), cwd: '/', stdout });
  if (started.kind === 'failed') return expect.fail(started.code);
  expect(await started.app.ended).toBe(0);
  stdout.end();
  await once(stdout, 'finish');
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
