// With programs that others wrote: node:http and curl as clients, node:http as server.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { portOf } from '../../kit/testing/ports.ts';
import type { RequestHead } from '../message.ts';
import { send } from './testing/caller.ts';
import { dial, echo, listen } from './testing/sockets.ts';

const LARGE = randomBytes(8 * 1024 * 1024);
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('node:http calls us', () => {
  async function call(options: RequestOptions, body?: Buffer, trailers: Record<string, string> = {}) {
    const request = requestHttp({ host: '127.0.0.1', ...options });
    if (body !== undefined) request.write(body);
    request.addTrailers(trailers);
    request.end();
    const [response]: IncomingMessage[] = await once(request, 'response');
    if (response === undefined) throw new Error('no response');
    return { response, body: await bodyOf(response), reused: request.reusedSocket };
  }

  test('on one connection again and again, with a length, in chunks, with trailers, and with HEAD', async () => {
    const server = await listen(echo);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const to = { port: server.port, agent };
    const sized = { ...to, method: 'POST', path: '/a?b', headers: { 'content-length': 5 } };
    expect((await call(sized, Buffer.from('hello'))).body.toString()).toBe('hello');
    const chunked = await call({ ...to, method: 'PUT' }, Buffer.from('hello'), { 'x-sum': '1' });
    expect(chunked.body.toString()).toBe('hello');
    expect(chunked.response.trailers).toEqual({ 'x-sum': '1' });
    const head = await call({ ...to, method: 'HEAD', path: '/h' });
    expect(head.response.headers['x-target']).toBe('/h');
    expect([chunked.reused, head.reused]).toEqual([true, true]);
    const large = { ...to, method: 'POST', headers: { 'content-length': LARGE.length } };
    expect(sha((await call(large, LARGE)).body)).toBe(sha(LARGE));
    expect(server.connections.size).toBe(1);
    agent.destroy();
    await server.close();
  });

  test('and waits for 100', async () => {
    const server = await listen(echo);
    const headers = { expect: '100-continue', 'content-length': 5 };
    const request = requestHttp({ host: '127.0.0.1', port: server.port, method: 'POST', headers, agent: false });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('hello');
    const [response] = await once(request, 'response');
    expect(String(await bodyOf(response))).toBe('hello');
    await server.close();
  });

  test.each([
    ['GET', { connection: 'upgrade', upgrade: 'echo' }, 'upgrade'],
    ['CONNECT', {}, 'connect'],
  ])('and tunnels with %s', async (method, headers, event) => {
    const server = await listen(echo);
    const path = method === 'CONNECT' ? 'b:80' : '/';
    const host = method === 'CONNECT' ? { host: 'b:80' } : {};
    const request = requestHttp({
      host: '127.0.0.1',
      port: server.port,
      method,
      path,
      headers: { ...headers, ...host },
    });
    request.end();
    const [, socket] = await once(request, event);
    socket.write('hello');
    const [said] = await once(socket, 'data');
    expect(String(said)).toBe('hello');
    socket.end();
    await once(socket, 'close');
    await server.close();
  });
});

const hasCurl = await promisify(execFile)('curl', ['--version']).then(
  () => true,
  () => false,
);

describe.skipIf(!hasCurl)('curl calls us', () => {
  async function curl(port: number, ...options: string[]): Promise<string> {
    const child = promisify(execFile)(
      'curl',
      ['-sS', '--max-time', '20', ...options.map((o) => o.replace('@', `http://127.0.0.1:${port}`))],
      { maxBuffer: 2 ** 25, encoding: 'latin1' },
    );
    return (await child).stdout;
  }

  test('twice on one connection, with HEAD, HTTP/1.0, chunks and 100-continue', async () => {
    const server = await listen(echo);
    const { port } = server;
    expect(await curl(port, '-d', 'hello', '-w', '%{num_connects} ', '@/a', '@/b')).toBe('hello1 hello0 ');
    expect(await curl(port, '-I', '@/h')).toContain('x-target: /h\r\n');
    expect(await curl(port, '--http1.0', '-d', 'hello', '@/')).toBe('hello');
    expect(
      await curl(port, '-H', 'Transfer-Encoding: chunked', '-H', 'Expect: 100-continue', '-d', 'hello', '@/'),
    ).toBe('hello');
    expect(await curl(port, '-X', 'BREW', '-i', '@/pot')).toMatch(/^HTTP\/1\.1 200 OK\r\nx-target: \/pot\r\n/);
    await server.close();
  });

  test('as a proxy', async () => {
    const server = await listen(echo);
    const target = `http://127.0.0.1:${server.port}/x`;
    expect(await curl(server.port, '-i', '-x', '@', target)).toContain(`x-target: ${target}\r\n`);
    await server.close();
  });
});

describe('we call node:http', () => {
  async function node(handle: (request: IncomingMessage, response: import('node:http').ServerResponse) => void) {
    const server = createServer(handle).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { client, closed } = await dial(portOf(server));
    const call = (head: Partial<RequestHead>, body?: Buffer, trailers?: readonly string[]) =>
      send(client, head, body, trailers);
    const close = async () => {
      client.drain();
      await closed;
      server.close();
      await once(server, 'close');
    };
    return { client, call, close };
  }

  test('again and again: with a length, in chunks, with trailers, HEAD, 204, early hints', async () => {
    const peer = await node(async (request, response) => {
      if (request.url === '/hints')
        await new Promise<void>((sent) => response.writeEarlyHints({ link: '</a>; rel=preload' }, sent));
      if (request.url === '/none' || request.method === 'HEAD') {
        response.writeHead(request.method === 'HEAD' ? 200 : 204).end();
        return;
      }
      const body = await bodyOf(request);
      if (request.url === '/sized') response.setHeader('content-length', body.length);
      else response.setHeader('trailer', 'x-sum');
      response.write(body);
      if (request.url !== '/sized') response.addTrailers({ 'x-sum': String(request.trailers['x-sum']) });
      response.end();
    });
    const sized = await peer.call({ method: 'POST', target: '/sized', bodyBytes: 5 }, Buffer.from('hello'));
    expect(sized).toMatchObject({ body: 'hello', outcomes: ['end'], response: { status: 200, bodyBytes: 5 } });
    const chunked = await peer.call({ method: 'POST', bodyBytes: undefined }, Buffer.from('hello'), ['x-sum', '7']);
    expect(chunked).toMatchObject({ body: 'hello', trailers: ['x-sum', '7'], outcomes: ['end'] });
    expect(await peer.call({ method: 'HEAD' })).toMatchObject({ body: '', outcomes: ['end'] });
    expect(await peer.call({ target: '/none' })).toMatchObject({ response: { status: 204 }, outcomes: ['end'] });
    expect(await peer.call({ target: '/hints' })).toMatchObject({ informationals: [103], outcomes: ['end'] });
    const large = await peer.call({ method: 'POST', target: '/sized', bodyBytes: LARGE.length }, LARGE);
    expect(sha(Buffer.from(large.body, 'latin1'))).toBe(sha(LARGE));
    expect(peer.client.isIdle).toBe(true);
    await peer.close();
  });

  test('an answer that comes before the end of an upload reaches the caller, though the server closes', async () => {
    const peer = await node((_request, response) => {
      response.writeHead(413, { connection: 'close', 'content-length': 5 }).end('large');
    });
    const answer = await peer.call({ method: 'POST', bodyBytes: 2 ** 26 }, LARGE);
    expect(answer).toMatchObject({ response: { status: 413 }, body: 'large', outcomes: ['end'] });
    expect(peer.client.isIdle).toBe(false);
    await peer.close();
  });

  test('a server that breaks off in the middle is told from one that ends', async () => {
    const peer = await node((request, response) => {
      response.write('half');
      setImmediate(() => request.socket.destroy());
    });
    const answer = await peer.call({});
    expect(answer.outcomes).toEqual(['abort reset']);
    await peer.close();
  });
});
