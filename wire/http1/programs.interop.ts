// Other programs that speak HTTP/1.1: curl, beyond what `peers.test.ts` has it do, and h2load.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Serve } from '../message.ts';
import { outputOf, program } from '../testing/programs.ts';
import { echo, listen } from './testing/sockets.ts';

const LARGE = Buffer.alloc(1_000_000, 'abcdefg');

let folder = '';
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'http1-programs-'));
  await writeFile(file('large'), LARGE);
  await writeFile(file('small'), 'hello');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const urlOf = ({ port }: { readonly port: number }) => `http://127.0.0.1:${port}/a?b`;

/** As `echo`, with a trailer of its own, and early hints. */
const echoWithTrailers: Serve = (head, responder) => {
  responder.informational(103, ['link', '</a>']);
  const echoing = echo(head, responder);
  return { ...echoing, end: () => echoing.end(['x-sum', '7']) };
};

test('curl shows early hints and trailers', async ({ skip }) => {
  const curl = program('curl', skip);
  const server = await listen(echoWithTrailers);
  const chunked = ['-H', 'Transfer-Encoding: chunked', '-H', 'TE: trailers', '-d', 'hello'];
  const said = await outputOf(curl, ['-sS', '-D', '-', ...chunked, urlOf(server)]);
  expect(said).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  expect(said).toMatch(/\r\n\r\nhello(x-sum: 7\r\n)/);
  await server.close();
});

test.for([
  { name: 'with a length', args: [] },
  { name: 'in chunks', args: ['-H', 'Transfer-Encoding: chunked'] },
])('curl uploads after 100, $name', async ({ args }, { skip }) => {
  const curl = program('curl', skip);
  const server = await listen(echo);
  const expecting = ['-H', 'Expect: 100-continue', '--expect100-timeout', '30', '--data-binary', `@${file('large')}`];
  const said = await outputOf(curl, ['-sS', ...expecting, ...args, urlOf(server)]);
  expect(said === LARGE.toString()).toBe(true);
  await server.close();
});

test.for([
  { name: 'many requests', args: ['-n', '4000', '-c', '10', '-d', 'small'] },
  { name: 'requests in a row before an answer', args: ['-n', '2000', '-c', '4', '-m', '20', '-d', 'small'] },
  { name: 'uploads', args: ['-n', '40', '-c', '4', '-d', 'large'] },
])('h2load over HTTP/1.1, $name: all succeed, and nothing is left', async ({ args }, { skip }) => {
  const h2load = program('h2load', skip);
  const server = await listen(echo);
  const given = args.map((arg) => (arg === 'large' || arg === 'small' ? file(arg) : arg));
  const said = await outputOf(h2load, ['--h1', ...given, urlOf(server)]);
  expect(said).toContain(`${args[1]} succeeded, 0 failed, 0 errored, 0 timeout`);
  await expect.poll(() => server.connections.size).toBe(0);
  await server.close();
});
