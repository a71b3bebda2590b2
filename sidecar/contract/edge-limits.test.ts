// The app API against what no friend sends: web pages, heads without end, two requests in the clothes of one.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { portOf } from '../../kit/testing/ports.ts';
import { echo } from '../testing/mesh.ts';
import {
  exchangeRaw,
  expectFault,
  headerOf,
  type Pair,
  parseRaw,
  RawClient,
  ScriptedApp,
  send,
  startPair,
  to,
} from './testing.ts';

/** node:http's own limit for an app would be 16 KiB. */
const roomy = new ScriptedApp();
const roomyServer = createServer({ maxHeaderSize: 128 * 1024 }, roomy.listener);

let pair: Pair;
beforeAll(async () => {
  await new Promise<void>((done) => roomyServer.listen(0, '127.0.0.1', done));
  pair = await startPair({ caller: { allowedOrigins: ['https://friend.example'], allowedHosts: ['sidecar.local'] } });
  await pair.mesh.start('roomy', {
    config: { app: { port: portOf(roomyServer), host: '127.0.0.1', token: undefined } },
  });
});
afterEach(() => {
  pair.app.reset();
  roomy.reset();
});
afterAll(async () => {
  await pair.mesh.close();
  roomyServer.close();
  roomyServer.closeAllConnections();
});

const request = (target: string, ...fields: string[]) =>
  `GET ${target} HTTP/1.1\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;

describe('who may speak', () => {
  const whole = (...fields: string[]) => request(to('callee'), ...fields, 'Connection: close');

  const friends = [
    ['Host: localhost'],
    ['Host: LOCALHOST:3500'],
    ['Host: 127.0.0.1:3500'],
    ['Host: 10.1.2.3'],
    ['Host: [::1]:3500'],
    ['Host: [fe80::1]'],
    ['Host: sidecar.local:3500'],
    ['Host: localhost', 'Origin: https://friend.example'],
    ['Host: localhost', 'Origin: https://friend.example', 'Sec-Fetch-Site: cross-site'],
    ['Host: localhost', 'Sec-Fetch-Site: same-origin'],
    ['Host: localhost', 'Sec-Fetch-Site: none'],
  ];
  test.each(friends.map((fields) => [fields]))('%j', async (fields) => {
    expect(await exchangeRaw(pair.port, whole(...fields))).toMatch(/^HTTP\/1\.1 200 /);
  });

  const strangers = [
    ['Host: evil.example'],
    ['Host: localhost.evil.example:3500'],
    ['Host: evil.example:localhost'],
    ['Host: user@localhost'],
    ['Host: [::1'],
    ['Host: '],
    ['Host: localhost', 'Origin: https://evil.example'],
    ['Host: localhost', 'Origin: null'],
    ['Host: localhost', 'Origin: https://friend.example.evil'],
    ['Host: localhost', 'Origin: https://friend.example', 'Origin: https://evil.example'],
    ['Host: localhost', 'Sec-Fetch-Site: cross-site'],
    ['Host: localhost', 'Sec-Fetch-Site: Cross-Site'],
    ['Host: localhost', 'Sec-Fetch-Site: same-site'],
  ];
  test.each(strangers.map((fields) => [fields]))('not %j: 403, and no app sees it', async (fields) => {
    const received = await exchangeRaw(pair.port, whole(...fields));
    expect(expectFault(parseRaw(received), 'origin-refused')).toMatch(/--allowed-(origins|hosts)/);
    expect(pair.app.seen).toEqual([]);
  });

  test('not an absolute target whose host is a stranger, though the Host header is not', async () => {
    const text = request(`http://evil.example${to('callee')}`, 'Host: localhost', 'Connection: close');
    expectFault(parseRaw(await exchangeRaw(pair.port, text)), 'origin-refused');
  });

  test('a page may ask for nothing, health and metadata included, nor open a WebSocket', async () => {
    for (const target of ['/v1.0/healthz', '/v1.0/metadata', to('callee')]) {
      const upgrade = [
        'Connection: close, Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      ];
      const text = request(target, 'Host: localhost', 'Origin: https://evil.example', ...upgrade);
      expectFault(parseRaw(await exchangeRaw(pair.port, text)), 'origin-refused');
    }
    expect(pair.app.seen).toEqual([]);
  });
});

describe('heads', () => {
  test('of just below 64 KiB pass to the app, which sees all of it', async () => {
    const value = 'v'.repeat(64 * 1024 - 400);
    roomy.handler = (_request, response) => response.writeHead(204).end();
    expect((await send(pair.port, { path: to('roomy'), headers: ['x-large', value] })).status).toBe(204);
    expect(roomy.seen[0]?.headers['x-large']).toBe(value);
  });

  test('above 64 KiB are 431', async () => {
    const received = await exchangeRaw(
      pair.port,
      request(to('roomy'), 'Host: localhost', `x-large: ${'v'.repeat(64 * 1024)}`),
    );
    expect(expectFault(parseRaw(received), 'headers-too-large')).toContain('65536 bytes');
    expect(roomy.seen).toEqual([]);
  });

  test('whose target alone is above 64 KiB are 431', async () => {
    const received = await exchangeRaw(pair.port, request(to('roomy', `/${'x'.repeat(65 * 1024)}`), 'Host: localhost'));
    expectFault(parseRaw(received), 'headers-too-large');
  });

  test('of 128 fields pass, of 129 are 431', async () => {
    const withFields = (count: number) => {
      const more = Array.from({ length: count - 2 }, (_, i) => `x-${i}: ${i}`);
      return exchangeRaw(pair.port, request(to('roomy'), 'Host: localhost', 'Connection: close', ...more));
    };
    expect(await withFields(128)).toMatch(/^HTTP\/1\.1 200 /);
    expect(roomy.seen[0]?.headers['x-125']).toBe('125');
    expect(expectFault(parseRaw(await withFields(129)), 'headers-too-large')).toContain('128');
    expect(roomy.seen).toHaveLength(1);
  });

  test("of an app's answer just below 64 KiB pass, above they are 502", async () => {
    const answering = (bytes: number) => {
      roomy.handler = (_request, response) => response.writeHead(200, { 'x-large': 'v'.repeat(bytes) }).end();
      return send(pair.port, { path: to('roomy') });
    };
    expect(headerOf(await answering(63 * 1024), 'x-large')).toHaveLength(63 * 1024);
    expectFault(await answering(65 * 1024), 'app-broke');
  });
});

const SMUGGLED = `GET ${to('callee', '/smuggled')} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const post = (...lines: string[]) =>
  `POST ${to('callee')} HTTP/1.1\r\nHost: localhost\r\n${lines.join('\r\n')}\r\n\r\n`;

describe('what two readers could understand differently is refused, the connection closed, and no app sees it', () => {
  test.each([
    ['both lengths', `${post('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`],
    [
      'both lengths, the other way round',
      `${post('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n${SMUGGLED}`,
    ],
    ['two unequal lengths', `${post('Content-Length: 0', 'Content-Length: 5')}hello${SMUGGLED}`],
    ['a list of lengths', `${post('Content-Length: 0, 5')}hello${SMUGGLED}`],
    ['a signed length', `${post('Content-Length: +5')}hello${SMUGGLED}`],
    ['a length in hex', `${post('Content-Length: 0x5')}hello${SMUGGLED}`],
    ['a coding after chunked', `${post('Transfer-Encoding: chunked, x')}0\r\n\r\n${SMUGGLED}`],
    ['a coding that is almost chunked', `${post('Transfer-Encoding: xchunked')}0\r\n\r\n${SMUGGLED}`],
    ['a space before the colon', `${post('Transfer-Encoding : chunked')}0\r\n\r\n${SMUGGLED}`],
    ['a folded line', `${post('Transfer-Encoding:', ' chunked')}0\r\n\r\n${SMUGGLED}`],
    ['a folded value', `${post('X-A: b', '\tTransfer-Encoding: chunked', 'Content-Length: 5')}hello${SMUGGLED}`],
    ['a bare CR', `${post('X-A: b\rTransfer-Encoding: chunked', 'Content-Length: 5')}hello${SMUGGLED}`],
    ['a bare LF', `${post('X-A: b\nTransfer-Encoding: chunked', 'Content-Length: 5')}hello${SMUGGLED}`],
    ['a NUL in a value', post('X-A: b\0c')],
    ['a line without a colon', post('X-A')],
    ['a field without a name', post(': x')],
    ['a line before the first field', `GET ${to('callee')} HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\n\r\n`],
    ['a space in the target', `GET ${to('callee', '/a b')} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['another protocol', `GET ${to('callee')} HTTP/3.9\r\nHost: localhost\r\n\r\n`],
    ['a verb in lower case', `get ${to('callee')} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['a verb that nobody knows', `FETCH ${to('callee')} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['no host', `GET ${to('callee')} HTTP/1.1\r\n\r\n${SMUGGLED}`],
    ['two hosts', `GET ${to('callee')} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n${SMUGGLED}`],
    ['chunks in HTTP/1.0', `${post('Transfer-Encoding: chunked').replace('HTTP/1.1', 'HTTP/1.0')}0\r\n\r\n`],
  ])('%s', async (_what, text) => {
    const refused = parseRaw(await exchangeRaw(pair.port, text));
    expect(expectFault(refused, 'bad-request')).toMatch(/./);
    expect(headerOf(refused, 'connection')?.toLowerCase()).toBe('close');
    expect(pair.app.seen).toEqual([]);
  });

  test('a coding before chunked is 501: whoever read the body next would not know of it', async () => {
    const text = `${post('Transfer-Encoding: gzip, chunked', 'Connection: close')}0\r\n\r\n`;
    expectFault(parseRaw(await exchangeRaw(pair.port, text)), 'unimplemented');
    expect(pair.app.seen).toEqual([]);
  });

  test('garbage gets one refusal, however much of it comes', async () => {
    const received = await exchangeRaw(pair.port, 'garbage\r\n'.repeat(50_000));
    expect(received.match(/HTTP\/1\.1 400/g)).toHaveLength(1);
  });
});

describe('garbage after a good request', () => {
  test('never mixes with the answer to it: that comes whole, then the refusal', async () => {
    pair.app.handler = (_request, response) => {
      response.write('the answer');
      // The garbage is at the sidecar by the time that the app goes on.
      go.promise.then(() => response.end());
    };
    const go = Promise.withResolvers<void>();
    const client = await RawClient.connect(pair.port);
    client.write(`GET ${to('callee')} HTTP/1.1\r\nHost: localhost\r\n\r\ngarbage\r\n\r\n`);
    await client.until(/the answer/);
    go.resolve();
    const [answer = '', refusal = ''] = (await client.ended).split('0\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*the answer\r\n$/s);
    expectFault(parseRaw(refusal), 'bad-request');
    client.socket.destroy();
  });
});

test('the sidecar serves on after all that', async () => {
  pair.app.handler = echo;
  expect((await send(pair.port, { path: to('callee') })).status).toBe(200);
});

test('a CONNECT whose sender resets the connection is nobody’s misfortune but its own', async () => {
  for (let i = 0; i < 20; i++) {
    const socket = connect(pair.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    if (i % 2 === 0) await once(socket, 'data');
    socket.resetAndDestroy();
    await once(socket, 'close');
  }
  expect(await exchangeRaw(pair.port, request(to('callee'), 'Host: localhost', 'Connection: close'))).toMatch(
    /^HTTP\/1\.1 200 /,
  );
});
