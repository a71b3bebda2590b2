// With Go's net/http, both ways, where there is a Go to build it with.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from './testing/caller.ts';
import { dial, echo, listen } from './testing/sockets.ts';

const run = promisify(execFile);
/** The first build of a machine compiles Go's library, too. */
const BUILD_LIMIT_MS = 600_000;

const hasGo = await run('go', ['version']).then(
  () => true,
  () => false,
);

describe.skipIf(!hasGo)('net/http of Go', () => {
  let folder = '';
  const program = () => join(folder, 'go-peer');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'go-peer-'));
    await run('go', ['build', '-o', program(), join(import.meta.dirname, 'testing/go-peer/main.go')]);
  }, BUILD_LIMIT_MS);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('calls us, on one connection', async () => {
    const server = await listen(echo);
    const { stdout } = await run(program(), ['call', `http://127.0.0.1:${server.port}`]);
    expect(stdout.split('\n')).toEqual([...['200 5  false', '200 5 7 true', '200 0  true', '200 5000000  true', '']]);
    await server.close();
  });

  test('is called by us', async () => {
    const peer = spawn(program(), { stdio: ['pipe', 'pipe', 'inherit'] });
    const port = await portOf(peer);
    const { client, closed } = await dial(port);
    const hello = Buffer.from('hello');
    expect(await send(client, { method: 'POST', target: '/sized', bodyBytes: 5 }, hello)).toMatchObject({
      ...{ body: 'hello', outcomes: ['end'], response: { status: 200, bodyBytes: 5 } },
    });
    expect(await send(client, { method: 'PUT', bodyBytes: undefined }, hello, ['x-sum', '7'])).toMatchObject({
      ...{ body: 'hello', outcomes: ['end'], trailers: ['x-sum', '7'] },
    });
    expect(await send(client, { method: 'HEAD' })).toMatchObject({ body: '', outcomes: ['end'] });
    const large = Buffer.alloc(5_000_000, 'x');
    expect(
      (await send(client, { method: 'POST', target: '/sized', bodyBytes: large.length }, large)).body,
    ).toHaveLength(large.length);
    expect(client.isIdle).toBe(true);
    const refused = await send(client, { method: 'POST', target: '/refuse', bodyBytes: 2 ** 26 }, large);
    expect(refused).toMatchObject({ response: { status: 413 }, outcomes: ['end'] });
    await closed;
    peer.stdin?.end();
    await once(peer, 'exit');
  });
});

async function portOf(peer: ChildProcess): Promise<number> {
  if (peer.stdout === null) throw new Error('its output is not read');
  const [line] = await once(peer.stdout, 'data');
  return Number(String(line));
}
