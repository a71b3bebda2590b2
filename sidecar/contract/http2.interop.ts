// The app API over HTTP/2, called by programs that others wrote.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { outputOf, program } from '../../wire/testing/programs.ts';
import { type Pair, pairForAll, to } from './testing.ts';

let pair: Pair;
pairForAll((started) => {
  pair = started;
});

const LARGE = randomBytes(1024 * 1024);
let folder: string;
let largeFile: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'invoke-http2-'));
  largeFile = join(folder, 'large');
  writeFileSync(largeFile, LARGE);
});
afterAll(() => rmSync(folder, { recursive: true }));

const url = (path = '/') => `http://127.0.0.1:${pair.port}${to('callee', path)}`;

describe('curl', () => {
  const told = ['-w', '|%{http_version} %{http_code}'];

  test.for([
    ['--http2', '2'],
    ['--http1.1', '1.1'],
  ])(
    '%s: a call, an answer without body, and two more calls on the connection',
    async ([flag = '', version], { skip }) => {
      const curl = program('curl', skip);
      const three = [url('/a?b=c'), url('/d'), url('/e')];
      expect(await outputOf(curl, ['-sS', flag, ...told, ...three])).toBe(`|${version} 200`.repeat(3));
      expect(pair.app.seen.map(({ url }) => url)).toEqual(['/a?b=c', '/d', '/e']);
      expect(await outputOf(curl, ['-sS', flag, '-I', ...told, '-o', '/dev/null', url()])).toBe(`|${version} 200`);
    },
  );

  test.for([['--http2'], ['--http2-prior-knowledge']])('%s: a body of 1 MB and back', async ([flag = ''], { skip }) => {
    const curl = program('curl', skip);
    const body = await outputOf(curl, ['-sS', flag, '--data-binary', `@${largeFile}`, url('/large')]);
    expect(Buffer.from(body, 'latin1').equals(LARGE)).toBe(true);
  });

  // Not with more than one call: curl before 8 loses its way on a connection of this kind that it uses again.
  test('--http2-prior-knowledge: a call, and an answer without body', async ({ skip }) => {
    const curl = program('curl', skip);
    const flags = ['-sS', '--http2-prior-knowledge', ...told];
    expect(await outputOf(curl, [...flags, url('/a?b=c')])).toBe('|2 200');
    expect(await outputOf(curl, [...flags, '-I', '-o', '/dev/null', url()])).toBe('|2 200');
  });

  test('--http2, with a body that waits for 100-continue, and a refusal in its place', async ({ skip }) => {
    const curl = program('curl', skip);
    const upload = ['-sS', '--http2', '-H', 'Expect: 100-continue', '--expect100-timeout', '30', '-T', largeFile];
    const body = await outputOf(curl, [...upload, url('/upload')]);
    expect(Buffer.from(body, 'latin1').equals(LARGE)).toBe(true);
    const refused = await outputOf(curl, [...upload, `http://127.0.0.1:${pair.port}${to('nobody')}`]);
    expect(JSON.parse(refused)).toMatchObject({ details: { fault: 'unknown-app' } });
  });
});

test.for([
  ['by Upgrade', ['-u']],
  ['by prior knowledge', []],
] as const)('nghttp %s: five streams, one of them the one that asked', async ([, flags], { skip }) => {
  const nghttp = program('nghttp', skip);
  pair.app.handler = (_request, response) => response.end('answer.');
  expect(await outputOf(nghttp, [...flags, '-m', '5', url()])).toBe('answer.'.repeat(5));
});

test("Java's client asks for an Upgrade with each first request, those with a body too", async ({ skip }) => {
  const java = program('java', skip);
  const said = await outputOf(java, [join(import.meta.dirname, '../testing/JavaCaller.java'), url('/java')]);
  const answers = said.trim().split('\n');
  expect(answers.slice(0, 3)).toEqual(['HTTP_1_1 200 a first body', 'HTTP_2 200 ', 'HTTP_2 200 another body']);
  expect(answers.slice(3)).toEqual(Array.from({ length: 20 }, (_, i) => `HTTP_2 200 body ${i}`));
});

test('h2load: a thousand calls on ten connections, a hundred at once on each', async ({ skip }) => {
  const h2load = program('h2load', skip);
  const said = await outputOf(h2load, ['-n', '1000', '-c', '10', '-m', '100', url()]);
  expect(said).toMatch(/requests: 1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout/);
});
