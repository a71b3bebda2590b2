// With Go's net/http over h2c, both ways, where there is a Go to build it with.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { h2cClient, request } from '../testing/h2c-client.ts';
import { h2cServer } from '../testing/h2c-server.ts';
import { buildGoProgram, GO_BUILD_LIMIT_MS, type GoProgram, NO_GO, outputOf, serving } from '../testing/programs.ts';
import { Recorder } from '../testing/recorder.ts';

let peer: GoProgram | undefined;
beforeAll(async () => {
  peer = await buildGoProgram(join(import.meta.dirname, 'testing/go-peer'));
}, GO_BUILD_LIMIT_MS);
afterAll(() => peer?.remove());

test('net/http calls us', async ({ skip }) => {
  const { path } = peer ?? skip(NO_GO);
  const server = await h2cServer();
  const stdout = await outputOf(path, ['call', `http://127.0.0.1:${server.port}/`]);
  expect(stdout.split('\n')).toEqual(['HTTP/2.0 200 true 7', 'HTTP/2.0 200 true 7', '1000', '']);
  await expect.poll(() => server.ends.map(({ kind }) => kind)).toEqual(['closed']);
  await server.close();
});

test('net/http is called by us', async ({ skip }) => {
  const { path } = peer ?? skip(NO_GO);
  const server = await serving(path);
  const { connection, closed } = await h2cClient(server.port);
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
  await server.stop();
});
