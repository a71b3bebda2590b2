// Requests stream: whole, once, with back-pressure and a limit, and they end early when the answer comes first.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { expectFault, type Pair, pairForAll, parseRaw, RawClient, send, to } from './testing.ts';

const LIMIT = 4 * 1024 * 1024;
const SMALL_LIMIT = 1024;

let pair: Pair;
pairForAll(async (started) => {
  pair = started;
  await pair.mesh.start('small', { handler: pair.app.listener, config: { bodyBytesMax: SMALL_LIMIT } });
});

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

describe.each([
  ['another app', 'callee', () => pair.app],
  ['oneself', 'caller', () => pair.ownApp],
])('to %s', (_who, name, app) => {
  test('a chunked upload of 1 MB arrives whole, exactly once', async () => {
    const body = randomBytes(1024 * 1024);
    const answer = await send(pair.port, { method: 'POST', path: to(name), body: pieces(body, 10_000) });
    expect(answer.body.equals(body)).toBe(true);
    expect(app().seen).toHaveLength(1);
    expect(app().seen[0]?.headers['transfer-encoding']).toBe('chunked');
  });

  test('a chunked body of a verb that has none as a rule arrives too', async () => {
    const answer = await send(pair.port, { method: 'GET', path: to(name), body: [Buffer.from('a body')] });
    expect(answer.body.toString()).toBe('a body');
  });

  test('the app reads the beginning of an upload before the caller has written the end', async () => {
    const arrived = app().next();
    app().handler = (request, response) => {
      request.once('data', (first: Buffer) => response.end(first));
    };
    const client = await RawClient.connect(pair.port);
    client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello`);
    await arrived;
    expect(await client.until(/hello/)).toMatch(/^HTTP\/1\.1 200 /);
    client.socket.destroy();
  });

  test('a body of exactly the limit passes, by length and in chunks', async () => {
    app().handler = (request, response) => {
      let bytes = 0;
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      request.on('end', () => response.end(String(bytes)));
    };
    const body = Buffer.alloc(LIMIT, 'x');
    const counted = await Promise.all([
      send(pair.port, { method: 'POST', path: to(name), body }),
      send(pair.port, { method: 'POST', path: to(name), body: pieces(body, 64 * 1024) }),
    ]);
    expect(counted.map((answer) => answer.body.toString())).toEqual([String(LIMIT), String(LIMIT)]);
  });

  test('a body that declares one byte more is 413 before the app sees anything', async () => {
    const client = await RawClient.connect(pair.port);
    client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${LIMIT + 1}\r\n\r\n`);
    expect(expectFault(parseRaw(await client.ended), 'body-too-large')).toMatch(/4194304 bytes.*--max-body-size/);
    expect(app().seen).toEqual([]);
    client.socket.destroy();
  });

  test('a body that turns out one byte longer is 413, and the app never takes it for whole', async () => {
    const arrived = app().next();
    const closed = arrived.then((request) => new Promise((done) => request.once('close', done)));
    app().handler = (request) => request.on('error', () => undefined).resume();
    const client = await RawClient.connect(pair.port);
    client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
    client.write(chunked(Buffer.alloc(LIMIT, 'x')));
    await arrived;
    client.write(chunked(Buffer.from('y')));
    expectFault(parseRaw(await client.ended), 'body-too-large');
    await closed;
    expect((await arrived).complete).toBe(false);
    client.socket.destroy();
  });

  const answers = [
    ['keeps its connection', {}],
    ['closes its connection', { connection: 'close' }],
  ] as const;
  for (const [what, headers] of answers) {
    const heard = async () => {
      app().handler = (_request, response) => response.writeHead(401, headers).end('who are you?');
      const client = await RawClient.connect(pair.port);
      client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${LIMIT}\r\n\r\n`);
      const received = await uploadUntilAnswered(client, LIMIT);
      expect(received).toMatch(/^HTTP\/1\.1 401 .*\r\nwho are you\?\r\n0\r\n\r\n$/s);
      expect(client.error).toBeUndefined();
    };
    test(`an app that answers without reading the upload, and ${what}, is heard`, heard);
  }
});

function chunked(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);
}

const PIECE = Buffer.alloc(64 * 1024, 'x');

/** Writes on and on, deaf to any answer until the other end closes, as a simple client does; `bytes` is what it promised. */
async function uploadUntilAnswered(client: RawClient, bytes: number, wrap = (piece: Buffer) => piece): Promise<string> {
  let isOver = false;
  void client.ended.then(() => {
    isOver = true;
  });
  for (let left = bytes; left > 0 && !isOver; left -= PIECE.length) {
    client.write(wrap(PIECE.subarray(0, Math.min(left, PIECE.length))));
    if (client.socket.writableNeedDrain)
      await Promise.race([new Promise((go) => client.socket.once('drain', go)), client.ended]);
  }
  const received = await client.ended;
  client.socket.destroy();
  return received;
}

const MEGABYTES = 16 * 1024 * 1024;

describe.each([
  ["the caller's sidecar", 'callee', MEGABYTES],
  ["the called app's sidecar", 'small', 2 * 1024 * 1024],
])('a 413 by %s', (_who, name, bytes) => {
  test('reaches a client that is still writing a body of declared length', async () => {
    const client = await RawClient.connect(pair.port);
    client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`);
    expectFault(parseRaw(await uploadUntilAnswered(client, bytes)), 'body-too-large');
    expect(client.error).toBeUndefined();
    expect(pair.app.seen).toEqual([]);
  });

  test('reaches a client that is still writing chunks', async () => {
    pair.app.handler = (request) => request.on('error', () => undefined).resume();
    const client = await RawClient.connect(pair.port);
    client.write(`POST ${to(name)} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
    expectFault(parseRaw(await uploadUntilAnswered(client, bytes, chunked)), 'body-too-large');
    expect(client.error).toBeUndefined();
  });
});

describe('Expect: 100-continue', () => {
  const head = (path: string, ...fields: string[]) =>
    ['POST', path, 'HTTP/1.1\r\nHost: localhost\r\n'].join(' ') + fields.map((field) => `${field}\r\n`).join('');

  test('gets its 100 once the call is permitted, and the app never sees the expectation', async () => {
    const client = await RawClient.connect(pair.port);
    client.write(head(to('callee'), 'Expect: 100-continue', 'Content-Length: 5', 'Connection: close', ''));
    expect(await client.until(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.write('hello');
    expect(await client.ended).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 .*\r\n5\r\nhello\r\n0\r\n\r\n$/s,
    );
    expect(pair.app.seen[0]?.headers.expect).toBeUndefined();
    client.socket.destroy();
  });

  test.each([
    ['names nobody', '/x', 'no-target', 'Content-Length: 5'],
    ['names an unknown app', to('nobody'), 'unknown-app', 'Content-Length: 5'],
    ['is too large', to('callee'), 'body-too-large', `Content-Length: ${LIMIT + 1}`],
    ['comes from a web page', to('callee'), 'origin-refused', 'Content-Length: 5\r\nOrigin: https://evil.example'],
  ] as const)('gets the refusal and no 100 when it %s', async (_what, path, code, fields) => {
    const client = await RawClient.connect(pair.port);
    client.write(head(path, 'Expect: 100-continue', fields, ''));
    const received = await client.ended;
    expect(received).not.toContain('100 Continue');
    expectFault(parseRaw(received), code);
    expect(pair.app.seen).toEqual([]);
    client.socket.destroy();
  });

  test('is answered on a route of the sidecar itself', async () => {
    const client = await RawClient.connect(pair.port);
    client.write(
      `PUT /v1.0/metadata/k HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n`,
    );
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
    client.write('v');
    expect(await client.ended).toMatch(/HTTP\/1\.1 204 /);
    client.socket.destroy();
  });

  test('any other expectation is 400 in our own words, and nothing is called', async () => {
    const client = await RawClient.connect(pair.port);
    client.write(`${head(to('callee'), 'Expect: 200-ok', 'Content-Length: 5', '')}hello`);
    expect(expectFault(parseRaw(await client.ended), 'bad-request')).toContain('100-continue');
    expect(pair.app.seen).toEqual([]);
    client.socket.destroy();
  });
});
