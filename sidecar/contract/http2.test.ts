// The app API on HTTP/2: the same port, the same calls, the same guard and bounds as on HTTP/1.1.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectFault, gotNames, gotValues, headerOf, type Pair, RawClient, send, startPair, to } from './testing.ts';
import { answerOf, Http2Caller, sendHttp2 } from './testing-http2.ts';

const LIMIT = 4 * 1024 * 1024;

let pair: Pair;
let caller: Http2Caller;
beforeAll(async () => {
  pair = await startPair({ caller: { allowedOrigins: ['https://friend.example'] } });
  caller = await Http2Caller.connect(pair.port);
});
afterEach(() => {
  pair.app.reset();
  pair.ownApp.reset();
});
afterAll(async () => {
  await caller.close();
  await pair.mesh.close();
});

test('one port serves both protocols at once', async () => {
  const [two, one] = await Promise.all([
    caller.send({ method: 'POST', path: to('callee', '/2'), body: 'two' }),
    send(pair.port, { method: 'POST', path: to('callee', '/1'), body: 'one' }),
  ]);
  expect([two.body.toString(), one.body.toString()]).toEqual(['two', 'one']);
  expect((await caller.send({ path: '/v1.0/healthz' })).status).toBe(204);
});

test('a client that comes by Upgrade gets 101, its answer on stream 1, and goes on in HTTP/2', async () => {
  const client = await RawClient.connect(pair.port);
  client.write(
    [
      ...[`GET ${to('callee', '/up')} HTTP/1.1`, 'Host: localhost', 'Connection: Upgrade, HTTP2-Settings'],
      ...['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__', '', ''],
    ].join('\r\n'),
  );
  await client.until(/^HTTP\/1\.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n\0/);
  await expect.poll(() => pair.app.seen.map(({ url }) => url)).toEqual(['/up']);
  expect(gotNames(pair.app.seen[0])).not.toContain('http2-settings');
  client.socket.destroy();
});

test('no tunnel is offered that would be refused', () => {
  expect(caller.session.remoteSettings.enableConnectProtocol).not.toBe(true);
});

test('calls of one connection run side by side, each with its own body', async () => {
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  const answers = await Promise.all(
    numbers.map((i) => caller.send({ method: 'POST', path: to('callee', `/${i}`), body: `call ${i}` })),
  );
  expect(answers.map(({ body }) => body.toString())).toEqual(numbers.map((i) => `call ${i}`));
});

test('the header form names the app, and what is for one hop stays here', async () => {
  const headers = [
    'dapr-app-id',
    'callee',
    'te',
    'trailers',
    'trailer',
    'x-sum',
    'x-kept',
    '1',
    'dapr-caller-app-id',
    'boss',
  ];
  expect((await caller.send({ path: '/x', headers })).status).toBe(200);
  const [got] = pair.app.seen;
  expect(gotNames(got).filter((name) => ['te', 'trailer', 'dapr-app-id'].includes(name))).toEqual([]);
  expect([gotValues(got, 'x-kept'), gotValues(got, 'dapr-caller-app-id')]).toEqual([['1'], ['caller']]);
});

test("of an app's answer nothing reaches the caller that HTTP/2 forbids", async () => {
  pair.app.handler = (_request, response) =>
    response
      .writeHead(200, {
        connection: 'close, x-hop',
        'keep-alive': 'timeout=1',
        'x-hop': '1',
        upgrade: 'x',
        'x-end': '2',
      })
      .end('plain');
  const answer = await caller.send({ path: to('callee') });
  expect(answer).toMatchObject({ status: 200, isWhole: true });
  const names = answer.headers.filter((_, i) => i % 2 === 0);
  expect(names).toContain('x-end');
  expect(
    names.filter((name) => ['connection', 'keep-alive', 'x-hop', 'upgrade', 'transfer-encoding'].includes(name)),
  ).toEqual([]);
});

describe('who may speak', () => {
  const strangers: readonly (readonly string[])[] = [
    [':authority', 'evil.example'],
    ['origin', 'https://evil.example'],
    ['origin', 'null'],
    ['sec-fetch-site', 'cross-site'],
    ['origin', 'https://friend.example', 'origin', 'https://evil.example'],
  ];
  test.each(strangers.map((headers) => [headers]))('not %j: 403, and no app sees it', async (headers) => {
    const answer = await caller.send({ path: to('callee'), headers });
    expect(expectFault(answer, 'origin-refused')).toMatch(/--allowed-(origins|hosts)/);
    expect(pair.app.seen).toEqual([]);
  });

  test('a page of an allowed origin', async () => {
    const answer = await caller.send({ path: to('callee'), headers: ['origin', 'https://friend.example'] });
    expect([answer.status, headerOf(answer, 'access-control-allow-origin')]).toEqual([200, 'https://friend.example']);
  });

  test.each([
    ['a tunnel', { ':method': 'CONNECT', ':authority': 'localhost:80' }, 'method-refused'],
    ['a verb that nobody knows', { method: 'FETCH', path: '/' }, 'bad-request'],
    ['an expectation that nobody knows', { path: '/', headers: ['expect', 'tea'] }, 'bad-request'],
  ] as const)('%s is refused, and the other calls of the connection go on', async (_what, sent, code) => {
    const stream = 'path' in sent ? caller.open(sent) : caller.session.request(sent);
    stream.on('error', () => undefined).end();
    expectFault(await answerOf(stream), code);
    expect((await caller.send({ path: to('callee') })).status).toBe(200);
  });
});

describe('bounds', () => {
  test.each([
    ['bytes', ['x-large', 'v'.repeat(65 * 1024)], '65536 bytes'],
    ['fields', Array.from({ length: 2 * 129 }, (_, i) => (i % 2 === 0 ? `x-${i}` : 'v')), '128'],
  ])('too many %s of a head are 431 in words of ours, and the connection lives on', async (_what, headers, says) => {
    const answer = await caller.send({ path: to('callee'), headers });
    expect(expectFault(answer, 'headers-too-large')).toContain(says);
    expect((await caller.send({ path: to('callee') })).status).toBe(200);
  });

  test('a body of the limit passes; one more byte is 413, declared or not', async () => {
    pair.app.handler = (request, response) => {
      let bytes = 0;
      request.on('error', () => undefined);
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      request.on('end', () => response.end(String(bytes)));
    };
    const body = Buffer.alloc(LIMIT, 'x');
    const post = { method: 'POST', path: to('callee') };
    expect((await caller.send({ ...post, body })).body.toString()).toBe(String(LIMIT));
    expect((await caller.send({ ...post, body: [body] })).body.toString()).toBe(String(LIMIT));
    const seen = pair.app.seen.length;
    const tooLarge = Buffer.alloc(LIMIT + 1, 'x');
    expectFault(await caller.send({ ...post, body: tooLarge }), 'body-too-large');
    expect(pair.app.seen.length).toBe(seen);
    expectFault(await caller.send({ ...post, body: [tooLarge] }), 'body-too-large');
  });

  test.each([
    ['shorter', 3],
    ['longer', 7],
  ])(
    'a request that is %s than it declares is broken off, and the app never takes it for whole',
    async (_what, bytes) => {
      const arrived = pair.app.next();
      pair.app.handler = (request) => request.on('error', () => undefined).resume();
      const stream = caller.open({ method: 'POST', path: to('callee'), headers: ['content-length', '5'] });
      stream.write('ab');
      const request = await arrived;
      const closed = new Promise((done) => request.once('close', done));
      stream.end('x'.repeat(bytes - 2));
      await closed;
      expect(request.complete).toBe(false);
      expect((await caller.send({ path: '/v1.0/healthz' })).status).toBe(204);
    },
  );
});

describe('a connection', () => {
  /** The app holds its answer open; the test writes it. */
  const held = () =>
    new Promise<ServerResponse>((called) => {
      pair.app.handler = (_request, response) => called(response);
    });

  test('drains by GOAWAY: what is under way is answered, and the client leaves', async () => {
    const leaving = await pair.mesh.start('leaving');
    const client = await Http2Caller.connect(leaving.sidecar.ports.http);
    const called = held();
    const answered = client.send({ path: to('callee') });
    const response = await called;
    const gone = once(client.session, 'close');
    leaving.sidecar.stop();
    response.end('the last');
    expect((await answered).body.toString()).toBe('the last');
    await gone;
    expect(await leaving.sidecar.done).toBe(0);
  });

  test('that is reset by its client costs its calls alone', async () => {
    const called = held();
    const client = await Http2Caller.connect(pair.port);
    const answered = client.send({ path: to('callee') }).catch(() => 'gone');
    const closed = once(await called, 'close');
    client.session.socket.resetAndDestroy();
    await closed;
    expect(await answered).toBe('gone');
    pair.app.reset();
    expect((await sendHttp2(pair.port, { path: to('callee') })).status).toBe(200);
  });
});
