// Bodies are as long as they say, or the message is not whole: an answer that breaks off never looks like one that ended.
import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { describe, expect, test } from 'vitest';
import { expectFault, headerOf, type Pair, pairForAll, parseRaw, RawClient, send, to } from './testing.ts';

let pair: Pair;
pairForAll((started) => {
  pair = started;
});

/** Answers with these bytes and closes, whatever node:http would have made of it. */
function raw(text: string): RequestListener {
  return (request) => {
    request.resume();
    request.socket.end(Buffer.from(text, 'latin1'));
  };
}

describe.each([
  ['another app', 'callee', () => pair.app],
  ['oneself', 'caller', () => pair.ownApp],
])('from %s', (_who, name, app) => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['null', Buffer.from('null')],
    ['JSON', Buffer.from('{"a":[1,2]}')],
    ['8192 bytes', randomBytes(8192)],
  ])('an answer of %s keeps its length', async (_what, body) => {
    app().handler = (_request, response) => response.writeHead(200, { 'content-length': body.length }).end(body);
    const answer = await send(pair.port, { path: to(name) });
    expect(answer).toMatchObject({ status: 200, isWhole: true, body });
    expect(headerOf(answer, 'content-length')).toBe(String(body.length));
  });

  test('an answer without a length stays without one', async () => {
    app().handler = (_request, response) => {
      response.write('a');
      response.end('b');
    };
    const answer = await send(pair.port, { path: to(name) });
    expect(answer).toMatchObject({ isWhole: true, body: Buffer.from('ab') });
    expect(headerOf(answer, 'content-length')).toBeUndefined();
  });

  test('HEAD is answered with the length that GET would have, and no body', async () => {
    app().handler = (_request, response) => response.writeHead(200, { 'content-length': 12345 }).end();
    const answer = await send(pair.port, { method: 'HEAD', path: to(name) });
    expect(answer).toMatchObject({ status: 200, isWhole: true, body: Buffer.alloc(0) });
    expect(headerOf(answer, 'content-length')).toBe('12345');
    expect(app().seen[0]?.method).toBe('HEAD');
  });

  test.each([204, 304])('%d has no body', async (status) => {
    app().handler = (_request, response) => response.writeHead(status).end();
    const answer = await send(pair.port, { path: to(name) });
    expect(answer).toMatchObject({ status, isWhole: true, body: Buffer.alloc(0) });
  });

  test('a 304 may name the length of what it leaves out', async () => {
    app().handler = raw('HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "a"\r\n\r\n');
    const answer = await send(pair.port, { path: to(name) });
    expect(answer).toMatchObject({ status: 304, isWhole: true });
    expect(headerOf(answer, 'etag')).toBe('"a"');
  });

  test('an answer that ends with its connection (HTTP/1.0) is whole', async () => {
    app().handler = raw('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end');
    const answer = await send(pair.port, { path: to(name) });
    expect(answer).toMatchObject({ status: 200, isWhole: true, body: Buffer.from('until the end') });
  });

  test('an informational answer before the answer is dropped', async () => {
    app().handler = (_request, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('x'));
    };
    expect(await send(pair.port, { path: to(name) })).toMatchObject({ status: 200, body: Buffer.from('x') });
  });

  test.each([
    ['is shorter than it declared', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this'],
    ['breaks off between chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
    ['breaks off inside a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello'],
    ['breaks off in its trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A'],
  ])('an answer that %s never ends cleanly at the caller', async (_what, text) => {
    app().handler = raw(text);
    // The head may be out already, and then only the broken end can tell; or the whole answer becomes a fault.
    const outcome = await send(pair.port, { path: to(name) }).catch(() => 'broken off before the head');
    if (typeof outcome === 'string') return;
    if (outcome.isWhole) expectFault(outcome, 'app-broke');
    else expect(outcome.status).toBe(200);
  });

  test.each([
    ['a status that is none', 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['a status above all classes', 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['what is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx'],
    [
      'a protocol that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    ],
    ['nothing at all', ''],
  ])('an app that answers with %s is 502, and its sidecar lives on', async (_what, text) => {
    app().handler = raw(text);
    expect(expectFault(await send(pair.port, { path: to(name) }), 'app-broke')).toContain(`${name}.default`);
    app().reset();
    expect((await send(pair.port, { path: to(name) })).status).toBe(200);
  });

  test('a request that is shorter than it declared is cut off at the app too', async () => {
    let aborted: Promise<void> | undefined;
    const arrived = app().next();
    app().handler = (request) => {
      aborted = new Promise((done) => request.once('close', () => done()));
      request.on('error', () => undefined).resume();
    };
    const client = await RawClient.connect(pair.port);
    client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nonly this`);
    const request = await arrived;
    client.socket.destroy();
    await aborted;
    expect(request.complete).toBe(false);
  });

  test('a request with a broken chunk is 400, and the app never takes it for whole', async () => {
    const arrived = app().next();
    app().handler = (request) => request.on('error', () => undefined).resume();
    const client = await RawClient.connect(pair.port);
    client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    const request = await arrived;
    const closed = new Promise((done) => request.once('close', done));
    client.write('zz\r\nnot a chunk\r\n');
    expectFault(parseRaw(await client.ended), 'bad-request');
    await closed;
    expect(request.complete).toBe(false);
    client.socket.destroy();
  });
});
