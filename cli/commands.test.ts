// The commands as people run them: real processes in a throwaway home, with an authority and a registry of their own.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pid } from 'node:process';
import { load } from 'js-yaml';
import { beforeEach, expect, test } from 'vitest';
import { freePort } from '../kit/testing/ports.ts';
import { processes } from '../kit/testing/processes.ts';
import { app, type Cli, startCli, throwawayFolder } from './testing.ts';

/** Answers with what it was sent; /broken is its own error, /gone breaks the connection, /silent never answers. */
const ECHO = app(`
  import { createServer } from 'node:http';
  createServer((request, response) => {
    if (request.url === '/gone') return request.socket.destroy();
    if (request.url === '/silent') return console.log('asked by', request.headers['dapr-caller-app-id']);
    response.statusCode = request.url === '/broken' ? 418 : 200;
    response.setHeader('x-said', [request.method, request.url, request.headers['content-type'],
      request.headers['dapr-caller-app-id'], request.headers['x-more'], request.headers['dapr-api-token']].join('|'));
    request.pipe(response);
  }).listen(process.env.APP_PORT, '127.0.0.1', () => console.log('up'));
`);

let INVOKE_HOME = '';
beforeEach(() => {
  INVOKE_HOME = throwawayFolder('home');
});

function start(args: readonly string[], input?: string | Buffer, env = {}): Cli {
  return startCli(args, { INVOKE_HOME, ...env }, input);
}

async function startEcho(appId: string, ...flags: readonly string[]): Promise<Cli> {
  const cli = start(['run', '-a', appId, '-p', String(await freePort()), ...flags, '--', ...ECHO]);
  await cli.printed(/the app listens/);
  return cli;
}

async function ended(cli: Cli) {
  const exitCode = await cli.ended;
  return { exitCode, stdout: cli.stdout(), stderr: cli.stderr() };
}

test('a call prints the answer, byte for byte, and says by its exit code how it went', async () => {
  await startEcho('web');
  const said = async (...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = await ended(start(['call', 'web', ...args, '-i']));
    return { exitCode, stderr, status: stdout.split('\n', 1).join(), said: /x-said: (.*)/.exec(stdout)?.[1] };
  };
  const fine = { exitCode: 0, stderr: '', status: 'HTTP/1.1 200 OK' };
  expect(await said('/a/b?c=d%20e', '-H', 'x-more: 7')).toEqual({ ...fine, said: 'GET|/a/b?c=d%20e||invokectl|7|' });
  expect(await said('a', '-d', '{"a":1}')).toEqual({ ...fine, said: 'POST|/a|application/json|invokectl||' });
  expect(await said('a', '-d', 'text', '-X', 'put', '--as', 'shop')).toEqual({
    ...fine,
    said: 'PUT|/a|text/plain; charset=utf-8|shop||',
  });

  const bytes = randomBytes(300_000);
  const file = join(INVOKE_HOME, 'body.bin');
  writeFileSync(file, bytes);
  expect(await ended(start(['call', 'web', 'a', '-d', `@${file}`]))).toEqual({
    exitCode: 0,
    stdout: bytes.toString('latin1'),
    stderr: '',
  });
  expect((await ended(start(['call', 'web', 'a', '-d', '-'], bytes))).stdout).toBe(bytes.toString('latin1'));

  expect(await ended(start(['call', 'web', 'broken', '-d', 'why']))).toEqual({
    exitCode: 1,
    stdout: 'why',
    stderr: 'invokectl: web.default answered with status 418\n',
  });
  const gone = await ended(start(['call', 'web', 'gone']));
  expect(gone).toMatchObject({
    exitCode: 69,
    stdout: '',
    stderr: expect.stringMatching(/^invokectl: 502 app-broke: /),
  });
  const missing = await ended(start(['call', 'web', 'a', '-d', '@nothing-here']));
  expect(missing).toMatchObject({
    exitCode: 64,
    stderr: expect.stringMatching(/^invokectl: --data: .*nothing-here cannot be read/),
  });
});

test('a call to a name that is not there says what may have been meant', async () => {
  await startEcho('orders');
  const { exitCode, stdout, stderr } = await ended(start(['call', 'ordres', 'x']));
  expect({ exitCode, stdout }).toEqual({ exitCode: 69, stdout: '' });
  expect(stderr).toMatch(/^invokectl: 404 unknown-app: no app "ordres" .* Did you mean "orders"\?.*\n$/);
});

test('a call that fails is said once', async () => {
  const stranger = startCli(['sidecar', '-a', 'shop', '-H', '0', '-M', '0'], { INVOKE_HOME: throwawayFolder('other') });
  const [, port] = await stranger.printed(/peer=(\d+)/);
  await stranger.printed(/certificate received/);
  const { exitCode, stderr } = await ended(start(['call', 'shop', 'x', '--peer', `shop=127.0.0.1:${port}`]));
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(/^invokectl: 503 peer-untrusted: .*\n$/);
});

test('a call for which the authority says no ends at once, with the authority’s reason', async () => {
  const [state, keys] = [join(INVOKE_HOME, 'sentry'), join(INVOKE_HOME, 'keys.json')];
  writeFileSync(keys, '{"keys":[]}');
  const sentry = start(['sentry', '--state', state, '--listen', '127.0.0.1:0', '--jwks-file', keys]);
  const address = `127.0.0.1:${(await sentry.printed(/signing over TLS .*port=(\d+)/))[1]}`;
  const ca = ['--sentry-address', address, '--trust-anchors-file', join(state, 'trust-anchors.crt')];
  const { exitCode, stderr } = await ended(start(['call', 'shop', 'x', ...ca]));
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(/^invokectl: no certificate to call with: .* bring a token: --token-file FILE.*\n$/);
  expect(sentry.stderr().match(/certificate refused/g)).toHaveLength(1);
});

test('a call under a borrowed name is nobody to be called, and ends with a signal', async () => {
  const api = await startEcho('api');
  const call = start(['call', 'api', 'silent', '--as', 'web']);
  await api.printed(/asked by web/);
  const listed = JSON.parse((await ended(start(['list', '-o', 'json']))).stdout);
  expect(listed.map((one: { appId: string }) => one.appId)).toEqual(['api']);
  call.child.kill('SIGINT');
  expect(await ended(call)).toEqual({ exitCode: 130, stdout: '', stderr: '' });
});

test('what runs is listed, and stopped by name', async () => {
  expect(await ended(start(['list']))).toMatchObject({
    exitCode: 0,
    stdout: '',
    stderr: expect.stringContaining('nothing runs'),
  });
  const web = await startEcho('web');
  const api = await startEcho('api', '-n', 'shop');

  const json = JSON.parse((await ended(start(['list', '-A', '-o', 'json']))).stdout);
  expect(json).toEqual([
    expect.objectContaining({ appId: 'web', namespace: 'default', ready: true, pid: expect.any(Number) }),
    expect.objectContaining({ appId: 'api', namespace: 'shop', ready: true, ageSec: expect.any(Number) }),
  ]);
  expect(load((await ended(start(['list', '-A', '-o', 'yaml']))).stdout)).toMatchObject(
    json.map(({ appId, pid }: { appId: string; pid: number }) => ({ appId, pid })),
  );
  const table = (await ended(start(['ls', '-n', 'shop']))).stdout.split('\n');
  expect(table[0]).toMatch(/^APP +NAMESPACE +PID +HTTP PORT +APP PORT +PEER PORT +READY +AGE$/);
  expect(table.slice(1)).toEqual([expect.stringMatching(/^api +shop +\d+ +\d+ +\d+ +\d+ +yes +\d+s$/), '']);

  expect((await ended(start(['stop', 'wbe']))).stderr).toBe('invokectl: wbe does not run; did you mean web?\n');
  expect((await ended(start(['list', '-n', 'shpo']))).stderr).toBe(
    'invokectl: nothing runs in namespace "shpo"; in others something does: invokectl list -A\n',
  );
  const partly = await ended(start(['stop', 'web', 'api']));
  expect(partly).toEqual({
    exitCode: 1,
    stdout: expect.stringMatching(/^web stopped \(pid \d+\)\n$/),
    stderr: 'invokectl: api does not run; one of that name does in namespace "shop": invokectl stop api -n shop\n',
  });
  // The app ended by the SIGTERM that it got.
  expect(await web.ended).toBe(143);
  expect(await ended(start(['stop', '--all']))).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^api stopped/),
  });
  expect(await api.ended).toBe(143);
  expect(await ended(start(['stop', '--all']))).toEqual({ exitCode: 0, stdout: 'nothing runs\n', stderr: '' });
});

test('a sidecar alone serves an app that others started, until it is told to stop', async () => {
  const cli = start(['sidecar', '-a', 'web', '-H', '0', '-M', '0']);
  const port = (await cli.printed(/listening http=(\d+)/))[1];
  expect((await fetch(`http://127.0.0.1:${port}/v1.0/metadata`)).status).toBe(200);
  cli.child.kill('SIGTERM');
  expect(await cli.ended).toBe(0);
});

test('a sidecar that finds others by a list is listed and stopped like any other', async () => {
  const web = await startEcho('web', '--name-resolution', 'static');
  const lone = start(['sidecar', '-a', 'lone', '-H', '0', '-M', '0', '--peer', 'web=127.0.0.1:1']);
  await lone.printed(/certificate received/);
  const listed = JSON.parse((await ended(start(['list', '-o', 'json']))).stdout);
  expect(listed).toMatchObject([
    { appId: 'lone', ready: true },
    { appId: 'web', ready: true },
  ]);
  expect((await ended(start(['call', 'web', 'a']))).stderr).toMatch(/404 unknown-app: .* runs on this machine with/);
  expect(await ended(start(['stop', 'web', 'lone']))).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await web.ended).toBe(143);
  expect(await lone.ended).toBe(0);
});

test('the authority lives on when the program that hosted it ends', async () => {
  const first = await startEcho('first');
  const second = await startEcho('second');
  first.child.kill('SIGTERM');
  await first.ended;
  await second.printed(/hosting the certificate authority/);
  expect(await ended(start(['call', 'second', 'a', '-d', 'x']))).toEqual({ exitCode: 0, stdout: 'x', stderr: '' });
});

test('an authority that serves is asked, and its folder is nobody else’s business', async () => {
  await startEcho('first');
  // Whoever opened the folder would refuse a key that others can read.
  chmodSync(join(INVOKE_HOME, 'ca', 'root.key'), 0o644);
  const second = await startEcho('second', '--workload-cert-ttl', '1h');
  await second.printed(/WARN.*--workload-cert-ttl has no effect/);
  expect(await ended(start(['call', 'second', 'a', '-d', 'x']))).toEqual({ exitCode: 0, stdout: 'x', stderr: '' });
});

test('tokens from the environment guard the sidecar and vouch for it', async () => {
  const tokens = { INVOKE_API_TOKEN: 'mine', APP_API_TOKEN: 'its' };
  const web = startCli(['run', '-a', 'web', '-p', String(await freePort()), '--', ...ECHO], { INVOKE_HOME, ...tokens });
  await web.printed(/the app listens/);
  const port = /listening http=(\d+)/.exec(web.stderr())?.[1];
  expect((await fetch(`http://127.0.0.1:${port}/v1.0/metadata`)).status).toBe(401);
  const { stdout } = await ended(start(['call', 'web', 'a', '-i'], undefined, { DAPR_API_TOKEN: 'of the caller' }));
  expect(stdout).toContain('x-said: GET|/a||invokectl||its');
});

test('an authority for several machines signs for sidecars that bring its anchors', async () => {
  const state = join(INVOKE_HOME, 'sentry');
  const sentry = start(['sentry', '--state', state, '--listen', '127.0.0.1:0', '--insecure']);
  const address = `127.0.0.1:${(await sentry.printed(/signing over TLS .*port=(\d+)/))[1]}`;
  const cli = start([
    'sidecar',
    '-a',
    'web',
    '-H',
    '0',
    '-M',
    '0',
    '--sentry-address',
    address,
    '--trust-anchors-file',
    join(state, 'trust-anchors.crt'),
  ]);
  await cli.printed(/certificate received identity=spiffe:\/\/cluster.local\/ns\/default\/web/);
  sentry.child.kill('SIGTERM');
  expect(await sentry.ended).toBe(0);
});

test.each([
  ['sentry', ['sentry', '--listen', '127.0.0.1:0', '--insecure'], /signing over TLS/],
  ['run', ['run', '-a', 'web', '-M', '0', '--', ...app('setInterval(() => {}, 1000)')], /certificate received/],
])('%s waits for the authority’s folder while another process works in it', async (name, args, serves) => {
  const folder = join(INVOKE_HOME, 'ca');
  mkdirSync(folder, { mode: 0o700 });
  const lock = join(folder, 'lock');
  writeFileSync(lock, `${pid} ${hostname()} ${processes.startTime(pid) ?? ''}\n`);
  const tried = triesFor(lock, 3);
  const cli = start(name === 'sentry' ? [...args, '--state', folder] : args);
  await Promise.race([tried, cli.ended.then((code) => expect.fail(`it ended with ${code}: ${cli.stderr()}`))]);
  expect(cli.stderr()).not.toMatch(serves);
  rmSync(lock);
  await cli.printed(serves);
});

/** Settles when somebody has tried so often to take a lock: each try leaves a file of another name beside it. */
function triesFor(lock: string, tries: number): Promise<void> {
  const names = new Set<string | null>();
  return new Promise((resolve) => {
    const watcher = watch(dirname(lock), (_event, name) => {
      if (name?.startsWith(`${basename(lock)}.`)) names.add(name);
      if (names.size < tries) return;
      watcher.close();
      resolve();
    });
  });
}
