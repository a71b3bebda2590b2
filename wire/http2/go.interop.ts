// With Go's net/http over h2c, both ways, where there is a Go to build it with.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { h2cClient, request } from '../testing/h2c-client.ts';
import { h2cServer } from '../testing/h2c-server.ts';
import { Recorder } from '../testing/recorder.ts';

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

  test('calls us', async () => {
    const server = await h2cServer();
    const { stdout } = await run(program(), ['call', `http://127.0.0.1:${server.port}/`]);
    expect(stdout.split('\n')).toEqual(['HTTP/2.0 200 true 7', 'HTTP/2.0 200 true 7', '1000', '']);
    await expect.poll(() => server.ends.map(({ kind }) => kind)).toEqual(['closed']);
    await server.close();
  });

  test('is called by us', async () => {
    const peer = spawn(program(), { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = (await once(peer.stdout, 'data')) as [Buffer];
    const { connection, closed } = await h2cClient(Number(line));
    const large = Buffer.alloc(5_000_000, 'x');
    const echoed = new Recorder();
    const requester = connection.request(request({ method: 'POST', fields: ['trailer', 'x-sum'] }), echoed);
    requester.data(large);
    requester.end(['x-sum', '7']);
    expect(await echoed.outcome()).toEqual({ kind: 'end', trailers: ['x-sum', '7'] });
    expect(echoed.bytes).toBe(large.length);
    const refused = new Recorder();
    connection.request(request({ method: 'POST', target: '/refuse' }), refused).data(large);
    expect(await refused.outcome()).toMatchObject({ kind: 'end' });
    expect(refused.status).toBe(413);
    expect(connection.streamCount).toBe(0);
    connection.drain();
    expect(await closed).toMatchObject({ reason: 'drained' });
    peer.stdin.end();
    await once(peer, 'exit');
  });
});
