// With Go's net/http, both ways, where there is a Go to build it with.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildGoProgram, GO_BUILD_LIMIT_MS, type GoProgram, NO_GO, outputOf, serving } from '../testing/programs.ts';
import { send } from './testing/caller.ts';
import { dial, echo, listen } from './testing/sockets.ts';

let peer: GoProgram | undefined;
beforeAll(async () => {
  peer = await buildGoProgram(join(import.meta.dirname, 'testing/go-peer'));
}, GO_BUILD_LIMIT_MS);
afterAll(() => peer?.remove());

test('net/http calls us, on one connection', async ({ skip }) => {
  const { path } = peer ?? skip(NO_GO);
  const server = await listen(echo);
  const stdout = await outputOf(path, ['call', `http://127.0.0.1:${server.port}`]);
  expect(stdout.split('\n')).toEqual([...['200 5  false', '200 5 7 true', '200 0  true', '200 5000000  true', '']]);
  await server.close();
});

test('net/http is called by us', async ({ skip }) => {
  const { path } = peer ?? skip(NO_GO);
  const server = await serving(path);
  const { client, closed } = await dial(server.port);
  const hello = Buffer.from('hello');
  expect(await send(client, { method: 'POST', target: '/sized', bodyBytes: 5 }, hello)).toMatchObject({
    ...{ body: 'hello', outcomes: ['end'], response: { status: 200, bodyBytes: 5 } },
  });
  expect(await send(client, { method: 'PUT', bodyBytes: undefined }, hello, ['x-sum', '7'])).toMatchObject({
    ...{ body: 'hello', outcomes: ['end'], trailers: ['x-sum', '7'] },
  });
  expect(await send(client, { method: 'HEAD' })).toMatchObject({ body: '', outcomes: ['end'] });
  const large = Buffer.alloc(5_000_000, 'x');
  expect((await send(client, { method: 'POST', target: '/sized', bodyBytes: large.length }, large)).body).toHaveLength(
    large.length,
  );
  expect(client.isIdle).toBe(true);
  const refused = await send(client, { method: 'POST', target: '/refuse', bodyBytes: 2 ** 26 }, large);
  expect(refused).toMatchObject({ response: { status: 413 }, outcomes: ['end'] });
  await closed;
  await server.stop();
});
