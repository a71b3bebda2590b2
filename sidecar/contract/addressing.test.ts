// Whom a request is for: the URL form, the header form, the basic-auth form, and what names nobody.
import { describe, expect, test } from 'vitest';
import {
  exchangeRaw,
  expectFault,
  gotNames,
  gotValues,
  headerOf,
  type Pair,
  pairForAll,
  parseRaw,
  send,
  to,
} from './testing.ts';

let pair: Pair;
pairForAll((started) => {
  pair = started;
});

const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;

describe.each([
  ['the URL', (path: string) => ({ path: to('callee', path) })],
  ['dapr-app-id', (path: string) => ({ path, headers: ['dapr-app-id', 'callee'] })],
  ['Invoke-App-Id', (path: string) => ({ path, headers: ['Invoke-App-Id', 'callee'] })],
  ['basic auth', (path: string) => ({ path, headers: ['authorization', basic('dapr-app-id:callee')] })],
])('a call by %s', (_form, addressed) => {
  test.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])(
    'reaches the same app, path and query with %s',
    async (method) => {
      const answer = await send(pair.port, { method, ...addressed('/a/b/c?q=1&q=2'), body: 'hi' });
      expect(answer).toMatchObject({ status: 200, body: Buffer.from('hi') });
      const [got] = pair.app.seen;
      expect([got?.method, got?.url]).toEqual([method, '/a/b/c?q=1&q=2']);
      expect(gotNames(got).filter((name) => name.endsWith('-app-id'))).toEqual([
        'dapr-caller-app-id',
        'dapr-callee-app-id',
      ]);
      expect(headerOf(answer, 'dapr-app-id')).toBeUndefined();
    },
  );

  test('reaches the root', async () => {
    expect((await send(pair.port, addressed('/'))).status).toBe(200);
    expect(pair.app.seen[0]?.url).toBe('/');
  });
});

test.each(['DAPR-APP-ID', 'Dapr-App-Id', 'invoke-app-id'])(
  'basic auth names an app with the user %s, and travels on to the app',
  async (user) => {
    const authorization = basic(`${user}:callee`);
    const answer = await send(pair.port, { path: '/x', headers: ['authorization', authorization] });
    expect(answer.status).toBe(200);
    expect(gotValues(pair.app.seen[0], 'authorization')).toEqual([authorization]);
  },
);

test.each([
  ['another user', basic('alice:callee')],
  ['a password with a colon', basic('dapr-app-id:callee:x')],
  ['another scheme', 'Bearer ZGFwci1hcHAtaWQ6Y2FsbGVl'],
])('credentials of %s are for the app alone', async (_what, authorization) => {
  const nowhere = await send(pair.port, { path: '/x', headers: ['authorization', authorization] });
  expectFault(nowhere, 'no-target');
  await send(pair.port, { path: to('callee', '/x'), headers: ['authorization', authorization] });
  expect(gotValues(pair.app.seen[0], 'authorization')).toEqual([authorization]);
});

test('a header goes before the path: the whole path is for the app', async () => {
  const path = to('nobody', '/x');
  expect((await send(pair.port, { path, headers: ['dapr-app-id', 'callee'] })).status).toBe(200);
  expect(pair.app.seen[0]?.url).toBe(path);
});

test('an app is called by its namespace too; without one the caller’s own is meant', async () => {
  const namespaced = await pair.mesh.start('callee', {
    namespace: 'shop',
    handler: (_request, response) => response.end('in the shop'),
  });
  const bodyOf = async (app: string) => (await send(pair.port, { method: 'POST', path: to(app), body: 'echo' })).body;
  expect((await bodyOf('callee.shop')).toString()).toBe('in the shop');
  expect((await bodyOf('callee.default')).toString()).toBe('echo');
  expect((await bodyOf('callee')).toString()).toBe('echo');
  await namespaced.stop();
});

test.each([
  '//v1.0//invoke//callee//method//a///b',
  '/v1.0/invoke/callee/method/a/b',
  '///v1.0/invoke/callee/method////a/b',
])('extra slashes anywhere still lead there: %s', async (path) => {
  expect((await send(pair.port, { path })).status).toBe(200);
  expect(pair.app.seen[0]?.url).toBe('/a/b');
});

test('an empty method is the root of the app', async () => {
  expect((await send(pair.port, { path: '/v1.0/invoke/callee/method' })).status).toBe(200);
  expect((await send(pair.port, { path: '/v1.0/invoke/callee/method/?q' })).status).toBe(200);
  expect(pair.app.seen.map(({ url }) => url)).toEqual(['/', '/?q']);
});

test('an app id may be percent-encoded', async () => {
  expect((await send(pair.port, { path: to('%63allee%2Edefault', '/x') })).status).toBe(200);
});

test('a client that takes the sidecar for a proxy (absolute-form target) reaches the same app', async () => {
  const origin = `http://127.0.0.1:${pair.port}`;
  expect((await send(pair.port, { path: `${origin}${to('callee', '/x?q')}` })).status).toBe(200);
  const byHeader = await send(pair.port, { path: `${origin}/x?q`, headers: ['dapr-app-id', 'callee'] });
  expect(byHeader.status).toBe(200);
  expect(pair.app.seen.map(({ url }) => url)).toEqual(['/x?q', '/x?q']);
  expect((await send(pair.port, { path: `${origin}/v1.0/healthz` })).status).toBe(204);
});

test('an absolute-form target without a path is the root', async () => {
  const answer = await send(pair.port, {
    path: `http://127.0.0.1:${pair.port}?q`,
    headers: ['dapr-app-id', 'callee'],
  });
  expect(answer.status).toBe(200);
  expect(pair.app.seen[0]?.url).toBe('/?q');
});

test.each(['/', '/v1.0/invoke/callee', '/v1.0/invoke', '/v2.0/invoke/callee/method/x', '/v1.0/healthz/x'])(
  '%s names nobody: 404, and both ways to name an app are told',
  async (path) => {
    const message = expectFault(await send(pair.port, { path }), 'no-target');
    expect(message).toMatch(/\/v1\.0\/invoke\/<app>/);
    expect(message).toContain('dapr-app-id');
  },
);

test.each([
  ['Callee', /lower-case/],
  ['1callee', /starting with a letter/],
  ['callee-', /app id/],
  ['a.b.c', /app or app\.namespace/],
  ['callee.Shop', /not a namespace/],
  ['x'.repeat(57), /at most 56/],
  ['%ff', /app id/],
  ['__proto__', /app id/],
])('the id %s is no id: 400, and the rule is told', async (id, rule) => {
  expect(expectFault(await send(pair.port, { path: to(id, '/x') }), 'bad-request')).toMatch(rule);
  expect(expectFault(await send(pair.port, { path: '/x', headers: ['dapr-app-id', id] }), 'bad-request')).toMatch(/./);
});

test('two headers that name different apps are refused: nobody could say who is meant', async () => {
  const headers = ['dapr-app-id', 'callee', 'invoke-app-id', 'caller'];
  expect(expectFault(await send(pair.port, { path: '/x', headers }), 'bad-request')).toMatch(/more than one app/);
  expect([...pair.app.seen, ...pair.ownApp.seen]).toEqual([]);
});

test('an app that nobody knows is 404', async () => {
  expect(expectFault(await send(pair.port, { path: to('nobody') }), 'unknown-app')).toContain('nobody.default');
});

test.each(['CONNECT callee:80', 'CONNECT 127.0.0.1:80'])('%s is 405: nothing is tunnelled', async (line) => {
  const received = await exchangeRaw(pair.port, `${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const answer = parseRaw(received);
  expectFault(answer, 'method-refused');
  expect(headerOf(answer, 'allow')).toContain('POST');
  expect(pair.app.seen).toEqual([]);
});
