// Other programs that speak HTTP/2: h2spec, curl, and those of nghttp2.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../kit/testing/ports.ts';
import type { RequestReceiver, Serve } from '../message.ts';
import { h2cClient, request } from '../testing/h2c-client.ts';
import { echo, type H2cServer, h2cServer, talk } from '../testing/h2c-server.ts';
import { outputOf, program } from '../testing/programs.ts';
import { Recorder } from '../testing/recorder.ts';

const LARGE = Buffer.alloc(1_000_000, 'abcdefg');
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serverOf(serve = echo): Promise<H2cServer> {
  const server = await h2cServer(serve);
  closing.push(() => server.close());
  return server;
}

const urlOf = ({ port }: { readonly port: number }) => `http://127.0.0.1:${port}/a?b`;
/** All connections have ended, and as their clients wanted it. */
const allHaveLeft = (server: H2cServer) =>
  expect
    .poll(() => [server.connections.size, new Set(server.ends.map(({ kind }) => kind))])
    .toEqual([0, new Set(['closed'])]);

let folder = '';
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'http2-programs-'));
  await writeFile(file('large'), LARGE);
  await writeFile(file('small'), 'hello');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('every case of h2spec passes', async ({ skip }) => {
  const h2spec = program('h2spec', skip);
  const { port } = await serverOf(talk);
  const said = await outputOf(h2spec, ['-h', '127.0.0.1', '-p', String(port), '-o', '5']);
  expect(said).toMatch(/145 tests, 145 passed, 0 skipped, 0 failed/);
});

// A run for each call: curl 7.88 fails when it uses a connection of prior knowledge again, with any server.
test.for(['hello', LARGE.toString()])('curl gets back what it posts', async (body, { skip }) => {
  const curl = program('curl', skip);
  const server = await serverOf();
  const args = ['-sS', '--http2-prior-knowledge', '-w', '|%{http_version} %{http_code}', '--data-binary', '@-'];
  expect((await outputOf(curl, [...args, urlOf(server)], body)) === `${body}|2 200`).toBe(true);
  await allHaveLeft(server);
});

describe('nghttp', () => {
  test('gets what it asks for, many times on a connection', async ({ skip }) => {
    const nghttp = program('nghttp', skip);
    const server = await serverOf(talk);
    const said = await outputOf(nghttp, ['-m', '50', '-s', urlOf(server)]);
    expect(said.match(/Hello from the far side\./g)).toHaveLength(50);
    await allHaveLeft(server);
  });

  // In frames of every kind that it knows: padded, continued, with dependencies, with trailers.
  test.for([
    { name: 'plainly', args: [] },
    { name: 'with padding', args: ['--padding=200'] },
    { name: 'in small windows', args: ['--window-bits=8', '--connection-window-bits=16'] },
    { name: 'with CONTINUATION', args: ['--continuation', '-H', `x-long: ${'v'.repeat(1000)}`] },
    { name: 'with trailers', args: ['--trailer', 'x-sum: 7'] },
    { name: 'without a length', args: ['--no-content-length'] },
    { name: 'with other tables', args: ['--header-table-size=0', '--encoder-header-table-size=0'] },
    { name: 'after 100', args: ['--expect-continue'] },
  ])('gets back what it posts, $name', async ({ args }, { skip }) => {
    const nghttp = program('nghttp', skip);
    const server = await serverOf(echoAfterContinue);
    const said = await outputOf(nghttp, ['-d', file('large'), ...args, urlOf(server)]);
    expect(said === LARGE.toString()).toBe(true);
    await allHaveLeft(server);
  });

  test('shows the trailers that came', async ({ skip }) => {
    const nghttp = program('nghttp', skip);
    const server = await serverOf();
    const said = await outputOf(nghttp, ['-v', '-n', '-d', file('small'), '--trailer', 'x-sum: 7', urlOf(server)]);
    expect(said).toMatch(/recv [^\n]* x-sum: 7\n/);
  });
});

describe('h2load', () => {
  test.for([
    { name: 'uploads', args: ['-n', '40', '-c', '2', '-m', '10', '-d', 'large'] },
    { name: 'many streams on few connections', args: ['-n', '5000', '-c', '4', '-m', '200', '-d', 'small'] },
    { name: 'many connections', args: ['-n', '400', '-c', '50', '-m', '2', '-d', 'small'] },
    { name: 'large answers in small windows', args: ['-n', '8', '-c', '2', '-w', '10', '-W', '12', '-d', 'large'] },
  ])('$name: all succeed, and nothing is left', async ({ args }, { skip }) => {
    const h2load = program('h2load', skip);
    const server = await serverOf();
    const given = args.map((arg) => (arg === 'large' || arg === 'small' ? file(arg) : arg));
    const said = await outputOf(h2load, [...given, urlOf(server)]);
    const requests = args[1];
    expect(said).toContain(`${requests} succeeded, 0 failed, 0 errored, 0 timeout`);
    expect(said).toContain(`status codes: ${requests} 2xx, 0 3xx, 0 4xx, 0 5xx`);
    await allHaveLeft(server);
  });
});

describe('nghttpd', () => {
  test('answers us: uploads, many at once, trailers, and a file that it does not have', async ({ skip }) => {
    const port = await nghttpd(program('nghttpd', skip));
    const { connection, closed } = await h2cClient(port);
    const post = (body: Buffer) => {
      const heard = new Recorder();
      const requester = connection.request(request({ method: 'POST', target: '/echo' }), heard);
      requester.data(body);
      requester.end(['x-sum', '1']);
      return heard;
    };
    const all = [LARGE, ...Array.from({ length: 50 }, (_, i) => Buffer.from(`body ${i}`))];
    for (const [i, heard] of all.map(post).entries()) {
      expect(await heard.outcome()).toEqual({ kind: 'end', trailers: ['x-sum', '7'] });
      expect(Buffer.concat(heard.chunks).equals(all[i] ?? LARGE)).toBe(true);
    }
    const missing = new Recorder();
    connection.request(request({ target: '/missing' }), missing).end([]);
    expect(await missing.outcome()).toMatchObject({ kind: 'end' });
    expect([missing.status, connection.streamCount]).toEqual([404, 0]);
    connection.drain();
    expect(await closed).toMatchObject({ reason: 'drained' });
  });

  test('is answered by an outcome for each call when it dies', async ({ skip }) => {
    const path = program('nghttpd', skip);
    const port = await nghttpd(path);
    const { connection, closed } = await h2cClient(port);
    const heard = Array.from({ length: 5 }, () => new Recorder());
    for (const recorder of heard)
      connection.request(request({ method: 'POST', target: '/echo' }), recorder).data(LARGE);
    const whole = new Recorder();
    connection.request(request({ target: '/small' }), whole).end([]);
    await whole.outcome();
    for (const close of closing.splice(0)) await close();
    expect(await closed).toMatchObject({ kind: 'closed' });
    expect(heard.map(({ outcomes }) => outcomes.map(({ kind }) => kind))).toEqual(heard.map(() => ['abort']));
    expect(connection.streamCount).toBe(0);
  });
});

/** Says 100 to whoever waits for it, and what `echo` says when the body comes: nghttp keeps it back from an early answer. */
const echoAfterContinue: Serve = (head, responder) => {
  if (!head.expectsContinue) return echo(head, responder);
  responder.informational(100, []);
  let echoing: RequestReceiver | undefined;
  return {
    data(chunk) {
      echoing ??= echo(head, responder);
      return echoing.data(chunk);
    },
    end: (trailers) => echoing?.end(trailers),
    abort: (failure) => responder.abort(failure),
    resume: () => responder.resume(),
    cancel: (failure) => responder.cancel(failure),
  };
};

/** The port of one that sends back what it gets, and ends with the test. */
async function nghttpd(path: string): Promise<number> {
  const port = await freePort();
  const trailer = ['--trailer', 'x-sum: 7'];
  const args = ['--no-tls', '--verbose', '-a', '127.0.0.1', '--echo-upload', ...trailer, '-d', folder, String(port)];
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  closing.push(() => {
    child.kill('SIGKILL');
    return exited;
  });
  // It says that it listens; what it says of frames is read so that it can go on.
  await once(child.stdout, 'data');
  child.stdout.resume();
  return port;
}
