// Answers stream: each piece is at the caller before the app writes the next, for as long as the caller listens.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { echo } from '../testing/mesh.ts';
import { type Pair, pairForAll, RawClient, send, to } from './testing.ts';

let pair: Pair;
pairForAll((started) => {
  pair = started;
});

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

describe.each([
  ['another app', 'callee', () => pair.app],
  ['oneself', 'caller', () => pair.ownApp],
])('from %s', (_who, name, app) => {
  /** The app holds its answer open; the test writes it. */
  const held = () =>
    new Promise<{ request: IncomingMessage; response: ServerResponse }>((called) => {
      app().handler = (request, response) => called({ request, response });
    });

  test('the head is at the caller before the app writes any body', async () => {
    const call = held();
    const client = await RawClient.connect(pair.port);
    client.write(get(to(name)));
    const { response } = await call;
    response.writeHead(200, { 'x-early': 'yes' }).flushHeaders();
    expect(await client.until(/\r\n\r\n/)).toContain('x-early: yes');
    response.end();
    await client.until(/0\r\n\r\n$/);
    client.socket.destroy();
  });

  test('a chunk is at the caller before the app writes the next', async () => {
    const call = held();
    const client = await RawClient.connect(pair.port);
    client.write(get(to(name)));
    const { response } = await call;
    for (const word of ['first', 'second', 'third']) {
      response.write(word);
      await client.until(new RegExp(word));
    }
    response.end();
    expect(await client.until(/0\r\n\r\n$/)).toMatch(/first.*second.*third/s);
    client.socket.destroy();
  });

  test('ten server-sent events arrive one by one while the stream is open', async () => {
    const call = held();
    const client = await RawClient.connect(pair.port);
    client.write(get(to(name)));
    const { response } = await call;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let i = 0; i < 10; i++) {
      response.write(`data: event ${i}\n\n`);
      await client.until(new RegExp(`event ${i}\n\n`));
    }
    const closed = once(response, 'close');
    client.socket.destroy();
    await closed;
    expect(response.writableFinished).toBe(false);
  });

  test('a large answer passes whole', async () => {
    const body = randomBytes(8 * 1024 * 1024);
    app().handler = (_request, response) => response.end(body);
    const answer = await send(pair.port, { path: to(name) });
    expect(answer.isWhole).toBe(true);
    expect(answer.body.equals(body)).toBe(true);
  });

  test('a caller that stops reading stops the app from writing, and both go on later', async () => {
    const call = held();
    const client = await RawClient.connect(pair.port);
    client.write(get(to(name)));
    const { response } = await call;
    client.socket.pause();
    const piece = Buffer.alloc(1024 * 1024, 'x');
    let written = 0;
    // More than all buffers on the way hold together: were nobody to say stop, all of it would be taken.
    while (written < 256 && response.write(piece)) written++;
    expect(written).toBeLessThan(256);
    const drained = once(response, 'drain');
    client.socket.resume();
    await drained;
    response.end('the end');
    await client.until(/the end\r\n0\r\n\r\n$/);
    client.socket.destroy();
  });

  test.each(['ends its side of', 'resets'])(
    'a caller that %s the connection cancels the call at the app',
    async (how) => {
      const call = held();
      const client = await RawClient.connect(pair.port);
      client.write(get(to(name)));
      const { response } = await call;
      const closed = once(response, 'close');
      if (how === 'resets') client.socket.resetAndDestroy();
      else client.socket.end();
      await closed;
      expect(response.writableFinished).toBe(false);
      client.socket.destroy();
    },
  );

  test('a caller that goes away in the middle of its upload cancels the call at the app', async () => {
    const call = held();
    const client = await RawClient.connect(pair.port);
    client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhello`);
    const { request, response } = await call;
    const closed = once(response, 'close');
    request.on('error', () => undefined).resume();
    client.socket.destroy();
    await closed;
    expect(request.complete).toBe(false);
  });

  test('a caller that goes away cancels its call; what it has queued behind that reaches no app', async () => {
    const call = held();
    const client = await RawClient.connect(pair.port);
    client.write(get(to(name, '/1')) + get(to(name, '/2')));
    const { response } = await call;
    const closed = once(response, 'close');
    client.socket.destroy();
    await closed;
    app().handler = echo;
    await send(pair.port, { path: to(name, '/3') });
    expect(app().seen.map(({ url }) => url)).toEqual(['/1', '/3']);
  });

  test('pipelined requests are called one after the other, and answered in their order', async () => {
    const done: boolean[] = [];
    let before: ServerResponse | undefined;
    app().handler = (request, response) => {
      done.push(before?.writableFinished ?? true);
      before = response;
      response.setHeader('x-for', request.url ?? '');
      setImmediate(() => response.end('answer'));
    };
    const client = await RawClient.connect(pair.port);
    client.write(get(to(name, '/1')) + get(to(name, '/2')) + get(to(name, '/3')));
    const received = await client.until(/(answer.*){3}/s);
    expect([...received.matchAll(/x-for: (\S+)/g)].map(([, url]) => url)).toEqual(['/1', '/2', '/3']);
    expect(done).toEqual([true, true, true]);
    client.socket.destroy();
  });
});

test('a relay of three sidecars passes events on live', async () => {
  const relay = await pair.mesh.start('relay', {
    handler: async (_request, response) => {
      const answer = await fetch(`${relay.url}${to('callee')}`);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for await (const chunk of answer.body ?? []) response.write(chunk);
      response.end();
    },
  });
  const call = new Promise<ServerResponse>((called) => {
    pair.app.handler = (_request, response) => called(response);
  });
  const client = await RawClient.connect(pair.port);
  client.write(get(to('relay')));
  const response = await call;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let i = 0; i < 5; i++) {
    response.write(`data: event ${i}\n\n`);
    await client.until(new RegExp(`event ${i}\n\n`));
  }
  response.end();
  await client.until(/0\r\n\r\n$/);
  client.socket.destroy();
  await relay.stop();
});
