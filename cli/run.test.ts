// `invokectl run` with real processes: what the app gets, which signals reach whom, and who ends with whom.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kill } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../kit/testing/ports.ts';
import { app, killedWithTheTest, startCli, takenPort, throwawayFolder, until, untilGone } from './testing.ts';

/** An invokectl with a throwaway home: its own authority, its own registry. */
function throwawayHome() {
  const INVOKE_HOME = throwawayFolder('home');
  return {
    folder: INVOKE_HOME,
    start: (args: readonly string[], env = {}) => startCli(args, { INVOKE_HOME, ...env }),
    /** The process of the one sidecar of `web`, once it has announced itself. */
    async sidecarPid(): Promise<number> {
      const folder = join(INVOKE_HOME, 'registry/default/web');
      const isRecord = (name: string) => name.endsWith('.json');
      const file = await until(() => (existsSync(folder) ? readdirSync(folder).find(isRecord) : undefined));
      return JSON.parse(readFileSync(join(folder, file), 'utf8')).pid;
    },
  };
}

const STAYS = 'setInterval(() => {}, 1000); console.log("up", process.pid);';

test('the app learns its sidecar from its environment, its lines say whose they are, its exit code is ours', async () => {
  const cli = throwawayHome().start(
    [
      'run',
      '-a',
      'web',
      '-p',
      '18080',
      '-n',
      'shop',
      '--',
      ...app(`
    const { DAPR_HTTP_PORT, INVOKE_HTTP_PORT, DAPR_GRPC_PORT, INVOKE_GRPC_PORT, APP_ID, APP_PORT, APP_PROTOCOL, NAMESPACE } = process.env;
    const ports = { DAPR_HTTP_PORT, INVOKE_HTTP_PORT, DAPR_GRPC_PORT, INVOKE_GRPC_PORT };
    console.log(JSON.stringify({ ...ports, APP_ID, APP_PORT, APP_PROTOCOL, NAMESPACE }));
    const { status } = await fetch('http://127.0.0.1:' + DAPR_HTTP_PORT + '/v1.0/metadata');
    console.error('metadata', status);
    process.stdout.write('no newline at the end');
    process.exitCode = 3;
  `),
    ],
    { DAPR_GRPC_PORT: 'of another sidecar' },
  );
  expect(await cli.ended).toBe(3);
  const [first = '', last] = cli.stdout().split('\n');
  const [, http, grpc] = /listening http=(\d+) grpc=(\d+)/.exec(cli.stderr()) ?? [];
  const ports = { DAPR_HTTP_PORT: http, INVOKE_HTTP_PORT: http, DAPR_GRPC_PORT: grpc, INVOKE_GRPC_PORT: grpc };
  expect(Buffer.from(first, 'latin1').toString()).toBe(
    `web    │ ${JSON.stringify({ ...ports, APP_ID: 'web', APP_PORT: '18080', APP_PROTOCOL: 'http', NAMESPACE: 'shop' })}`,
  );
  expect(Buffer.from(last ?? '', 'latin1').toString()).toBe('web    │ no newline at the end');
  expect(cli.stderr()).toContain('web    │ metadata 200\n');
  expect(cli.stderr()).toMatch(/^invoke │ .*listening/m);
  expect(cli.stderr()).not.toContain('\x1b');
});

test('an app may call as its first deed, and starts all the same where there is no authority', async () => {
  const script = `
    const { status } = await fetch('http://127.0.0.1:' + process.env.DAPR_HTTP_PORT + '/v1.0/healthz/outbound');
    console.log('outbound', status);
  `;
  const cli = throwawayHome().start(['run', '-a', 'web', '--', ...app(script)]);
  expect(await cli.ended).toBe(0);
  expect(cli.stdout()).toContain('outbound 204');

  const home = throwawayHome();
  const anchors = join(home.folder, 'ca/trust-anchors.crt');
  await home.start(['run', '-a', 'first', '--', ...app('')]).ended;
  const nowhere = ['--sentry-address', `127.0.0.1:${await freePort()}`, '--trust-anchors-file', anchors];
  const alone = home.start(['run', '-a', 'web', ...nowhere, '--', ...app(script)]);
  expect(await alone.ended).toBe(0);
  expect(alone.stdout()).toContain('outbound 503');
});

test.each([
  [{ INVOKE_API_TOKEN: 'i' }, 'i i'],
  [{ DAPR_API_TOKEN: 'd' }, 'd d'],
  [{ DAPR_API_TOKEN: 'd', INVOKE_API_TOKEN: 'i' }, 'i i'],
  [{}, 'undefined undefined'],
])('given %j, the app has the token that its sidecar asks for under the name of either SDK', async (env, expected) => {
  const script = 'console.log(process.env.DAPR_API_TOKEN, process.env.INVOKE_API_TOKEN)';
  const cli = throwawayHome().start(['run', '-a', 'web', '--', ...app(script)], env);
  expect(await cli.ended).toBe(0);
  expect(cli.stdout()).toContain(`${expected}\n`);
});

test('not a line is lost when the app ends right after printing many', async () => {
  const lines = 30_000;
  const cli = throwawayHome().start([
    'run',
    '-a',
    'web',
    '--',
    ...app(`for (let i = 0; i < ${lines}; i++) process.stdout.write('line ' + i + '\\n');`),
  ]);
  expect(await cli.ended).toBe(0);
  const printed = cli.stdout().split('\n').slice(0, -1);
  expect(printed.length).toBe(lines);
  expect(printed.every((line, i) => line.endsWith(` line ${i}`))).toBe(true);
});

test('an app that a signal ended is told as shells tell it', async () => {
  const cli = throwawayHome().start(['run', '-a', 'web', '--', ...app('process.kill(process.pid, "SIGKILL")')]);
  expect(await cli.ended).toBe(137);
});

test('each signal reaches the app once, and the exit code is what the app makes of it', async () => {
  const cli = throwawayHome().start([
    'run',
    '-a',
    'web',
    '--',
    ...app(`
    const got = [];
    process.on('SIGINT', () => { got.push('SIGINT'); console.log('got one'); });
    process.on('SIGHUP', () => { got.push('SIGHUP'); console.log('got two'); });
    process.on('SIGTERM', () => { console.log('got', got.join()); process.exit(5); });
    ${STAYS}
  `),
  ]);
  await cli.printed(/up \d+/);
  // A terminal and a package manager between them deliver one Ctrl-C twice.
  cli.child.kill('SIGINT');
  cli.child.kill('SIGINT');
  await cli.printed(/got one/);
  cli.child.kill('SIGHUP');
  await cli.printed(/got two/);
  cli.child.kill('SIGHUP');
  cli.child.kill('SIGTERM');
  expect(await cli.ended).toBe(5);
  expect(cli.stdout()).toMatch(/got SIGINT,SIGHUP\n/);
});

test('a call under way is served before the signal reaches the app, which would have dropped it', async () => {
  const home = throwawayHome();
  const appPort = await freePort();
  const cli = home.start(
    [
      ...['run', '-a', 'web', '-p', String(appPort), '-H', '0', '-M', '0', '--'],
      ...app(`
    import { createServer } from 'node:http';
    createServer((request, response) => {
      console.log('serving');
      setTimeout(() => response.end('served'), 500);
    }).listen(process.env.APP_PORT, '127.0.0.1');
    ${STAYS}
  `),
    ],
    {},
  );
  const [, port] = await cli.printed(/listening http=(\d+)/);
  await cli.printed(/the app listens/);
  const answered = fetch(`http://127.0.0.1:${port}/v1.0/invoke/web/method/x`);
  await cli.printed(/serving/);
  cli.child.kill('SIGTERM');
  expect(await (await answered).text()).toBe('served');
  expect(await cli.ended).toBe(128 + 15);
});

test('a port that is taken before the app starts is pointed out', async () => {
  const port = String(await takenPort());
  const cli = throwawayHome().start(['run', '-a', 'web', '-p', port, '-H', '0', '-M', '0', '--', 'true']);
  expect(await cli.ended).toBe(0);
  expect(cli.stderr()).toContain(`invokectl: something listens on port ${port} before web was started`);
});

test('a second Ctrl-C kills an app that would not end', async () => {
  const cli = throwawayHome().start(['run', '-a', 'web', '--', ...app(`process.on('SIGINT', () => {}); ${STAYS}`)]);
  await cli.printed(/up \d+/);
  const pressing = setInterval(() => cli.child.kill('SIGINT'), 100);
  onTestFinished(() => clearInterval(pressing));
  expect(await cli.ended).toBe(137);
});

test('with the first signal the name is taken back, while the app may still call out', async () => {
  const cli = throwawayHome().start([
    'run',
    '-a',
    'web',
    '--',
    ...app(`${STAYS}
    import { readdirSync } from 'node:fs';
    const health = () => fetch('http://127.0.0.1:' + process.env.DAPR_HTTP_PORT + '/v1.0/healthz/outbound');
    const records = () => readdirSync(process.env.INVOKE_HOME + '/registry/default/web').length;
    while ((await health()).status !== 204 || records() === 0);
    process.on('SIGTERM', async () => {
      while (records() > 0) await null;
      const outbound = await fetch('http://127.0.0.1:' + process.env.DAPR_HTTP_PORT + '/v1.0/invoke/nobody/method/x');
      console.log('withdrawn, outbound', outbound.headers.get('invoke-fault'));
      process.exit(0);
    });
    console.log('announced');
  `),
  ]);
  await cli.printed(/announced/);
  cli.child.kill('SIGTERM');
  expect(await cli.ended).toBe(0);
  expect(cli.stdout()).toMatch(/withdrawn, outbound unknown-app\n/);
});

test('a sidecar never outlives the one who started it, nor does the app, even when that one is killed', async () => {
  const home = throwawayHome();
  const cli = home.start(['run', '-a', 'web', '--', ...app(STAYS)]);
  const appPid = Number((await cli.printed(/up (\d+)/))[1]);
  killedWithTheTest(appPid);
  const pid = await home.sidecarPid();
  cli.child.kill('SIGKILL');
  await untilGone(pid);
  await untilGone(appPid);
  expect(readdirSync(join(home.folder, 'registry/default/web'))).toEqual([]);
});

test('not even an app that will not hear of it', async () => {
  const home = throwawayHome();
  const flags = ['--graceful-shutdown', '300ms'];
  const cli = home.start(['run', '-a', 'web', ...flags, '--', ...app(`process.on('SIGTERM', () => {}); ${STAYS}`)]);
  const appPid = Number((await cli.printed(/up (\d+)/))[1]);
  killedWithTheTest(appPid);
  const pid = await home.sidecarPid();
  cli.child.kill('SIGKILL');
  await untilGone(appPid);
  await untilGone(pid);
});

test('when the sidecar dies the app is ended, and that is said', async () => {
  const home = throwawayHome();
  const cli = home.start([
    'run',
    '-a',
    'web',
    '--',
    ...app(`process.on('SIGTERM', () => { console.log('told'); process.exit(0); }); ${STAYS}`),
  ]);
  await cli.printed(/up \d+/);
  kill(await home.sidecarPid(), 'SIGKILL');
  expect(await cli.ended).toBe(1);
  expect(cli.stdout()).toContain('told');
  expect(cli.stderr()).toContain('invokectl: the sidecar ended unexpectedly (exit code 137); ending web\n');
});

test('an app that shuts its sidecar down may finish by itself', async () => {
  const home = throwawayHome();
  const cli = home.start([
    ...['run', '-a', 'web', '--'],
    ...app(`
      import { existsSync } from 'node:fs';
      await fetch('http://127.0.0.1:' + process.env.DAPR_HTTP_PORT + '/v1.0/shutdown', { method: 'POST' });
      while (!existsSync(process.env.INVOKE_HOME + '/go')) await new Promise(setImmediate);
      process.exitCode = 4;
    `),
  ]);
  await cli.printed(/invokectl: the sidecar was shut down; waiting for web to end\n/);
  writeFileSync(join(home.folder, 'go'), '');
  expect(await cli.ended).toBe(4);
});

test('a port that was asked for and is taken stops the start, in one line', async () => {
  const port = await takenPort();
  const cli = throwawayHome().start(['run', '-a', 'web', '-H', String(port), '--', ...app(STAYS)]);
  expect(await cli.ended).toBe(1);
  expect(cli.stdout()).toBe('');
  expect(linesOf(cli.stderr())).toEqual([
    expect.stringMatching(new RegExp(`^invokectl: port ${port}.* is taken; .*--http-port`)),
  ]);
});

test.each([
  ['there is no such command', 'no-such-command', 127],
  ['it may not be executed', '/etc/passwd', 126],
])('a command that cannot start is said: %s', async (reason, command, exitCode) => {
  const cli = throwawayHome().start(['run', '-a', 'web', '--', command]);
  expect(await cli.ended).toBe(exitCode);
  expect(linesOf(cli.stderr())).toContainEqual(
    expect.stringContaining(`invokectl: cannot start ${command}: ${reason}`),
  );
});

test('a home that cannot be used is one line', async () => {
  const home = throwawayHome();
  writeFileSync(join(home.folder, 'file'), '');
  const cli = home.start(['run', '-a', 'web', '--', ...app(STAYS)], { INVOKE_HOME: join(home.folder, 'file') });
  expect(await cli.ended).toBe(1);
  expect(linesOf(cli.stderr())).toEqual([expect.stringMatching(/^invokectl: .*a file is in the way/)]);
});

test('a policy that cannot be read stops the start', async () => {
  const home = throwawayHome();
  const file = join(home.folder, 'policy.yaml');
  writeFileSync(
    file,
    'apiVersion: invoke.io/v1alpha1\nkind: AccessPolicy\nmetadata: { name: closed }\nspec: { mode: half }\n',
  );
  const cli = home.start(['run', '-a', 'web', '--resources-path', home.folder, '--', ...app(STAYS)]);
  expect(await cli.ended).toBe(64);
  expect(cli.stderr()).toContain(`invokectl: ${file}:1: AccessPolicy "closed": `);
});

test('the script in bin/ finds its checkout through links, from anywhere', () => {
  const folder = throwawayFolder('bin');
  const script = fileURLToPath(new URL('../bin/invokectl', import.meta.url));
  symlinkSync(script, join(folder, 'first'));
  symlinkSync('first', join(folder, 'invokectl'));
  const { stdout, status } = spawnSync(join(folder, 'invokectl'), ['version'], { cwd: '/', encoding: 'utf8' });
  expect({ stdout, status }).toEqual({ stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), status: 0 });
});

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
