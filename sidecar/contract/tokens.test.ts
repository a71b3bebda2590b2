// The two secrets: an app shows the API token to its own sidecar, and a sidecar shows the app token to its own app. Neither
// goes any further.
import type { Server } from 'node:net';
import { describe, expect, test } from 'vitest';
import { portOf } from '../../kit/testing/ports.ts';
import {
  expectFault,
  expectFaultBody,
  gotValues,
  type Pair,
  pairForAll,
  type ScriptedApp,
  send,
  to,
} from './testing.ts';
import { sendHttp2 } from './testing-http2.ts';

const API_TOKEN = 'of-the-api';
const APP_TOKEN = 'of-the-callee';
const OWN_APP_TOKEN = 'of-the-caller';
const SHOWN = ['Dapr-Api-Token', API_TOKEN];

let pair: Pair;
let port: number;
pairForAll(async (started) => {
  pair = started;
  // The ports of the apps are known only now: the sidecars with tokens stand before the same two apps.
  const before = (app: Server | undefined, token: string) => ({
    app: { port: app && portOf(app), host: '127.0.0.1', token },
    apiToken: API_TOKEN,
  });
  const [guarded] = await Promise.all([
    pair.mesh.start('guarded', { config: before(pair.caller.app, OWN_APP_TOKEN) }),
    pair.mesh.start('trusting', { config: before(pair.callee.app, APP_TOKEN) }),
  ]);
  port = guarded.sidecar.ports.http;
});

describe.each([
  ['HTTP/1.1', send],
  ['HTTP/2', sendHttp2],
])('over %s', (_protocol, ask) => {
  /** Who called whom, as the app was told. */
  const identities = (of: ScriptedApp) =>
    ['dapr-caller-app-id', 'dapr-caller-namespace', 'dapr-callee-app-id', 'invoke-caller-id'].map(
      (name) => gotValues(of.seen[0], name)[0],
    );

  test("the called app gets its own sidecar's token, and never the caller's", async () => {
    expect((await ask(port, { path: to('trusting'), headers: SHOWN })).status).toBe(200);
    expect(gotValues(pair.app.seen[0], 'dapr-api-token')).toEqual([APP_TOKEN]);
    expect(JSON.stringify(pair.app.seen[0]?.rawHeaders)).not.toContain(API_TOKEN);
    expect(identities(pair.app)).toEqual(['guarded', 'default', 'trusting', 'spiffe://test.local/ns/default/guarded']);
  });

  test('an app without a token of its own gets none', async () => {
    await ask(port, { path: to('callee'), headers: SHOWN });
    expect(gotValues(pair.app.seen[0], 'dapr-api-token')).toEqual([]);
    expect(JSON.stringify(pair.app.seen[0]?.rawHeaders)).not.toContain(API_TOKEN);
  });

  test('a call to oneself shows the app token in place of the API token', async () => {
    await ask(port, { path: to('guarded'), headers: SHOWN });
    expect(gotValues(pair.ownApp.seen[0], 'dapr-api-token')).toEqual([OWN_APP_TOKEN]);
    expect(identities(pair.ownApp)).toEqual([
      'guarded',
      'default',
      'guarded',
      'spiffe://test.local/ns/default/guarded',
    ]);
  });
});

describe.each([
  ['a call', 'GET', to('callee')],
  ['metadata', 'GET', '/v1.0/metadata'],
  ['a metadata value', 'PUT', '/v1.0/metadata/k'],
  ['shutdown', 'POST', '/v1.0/shutdown'],
  ['what names nobody', 'GET', '/'],
])('%s', (_what, method, path) => {
  test.each([
    ['no token', [], /missing.*DAPR_API_TOKEN/],
    ['another token', ['dapr-api-token', 'guess'], /not the one/],
    ['the beginning of the token', ['dapr-api-token', API_TOKEN.slice(0, -1)], /not the one/],
    ['an empty token', ['dapr-api-token', ''], /not the one/],
  ])('is 401 with %s, and the answer does not tell the token', async (_which, headers, says) => {
    const answer = await send(port, { method, path, headers });
    expect(expectFault(answer, 'token-invalid')).toMatch(says);
    expect(answer.body.toString()).not.toContain(API_TOKEN);
    expect([...pair.app.seen, ...pair.ownApp.seen]).toEqual([]);
  });
});

test.each(['/v1.0/healthz', '/v1.0/healthz/outbound'])('%s is told to whoever asks', async (path) => {
  expect((await send(port, { path })).status).toBe(204);
});

test('health of another kind or by another verb is not', async () => {
  expectFault(await send(port, { method: 'POST', path: '/v1.0/healthz' }), 'token-invalid');
  expectFault(await send(port, { path: '/v1.0/healthz/../metadata' }), 'token-invalid');
});

test('a token is 401 with --statuses dapr too', async () => {
  const dapr = await pair.mesh.start('dapr-like', { config: { apiToken: API_TOKEN, statuses: 'dapr' } });
  const answer = await send(dapr.sidecar.ports.http, { path: '/v1.0/metadata' });
  expect(answer.status).toBe(401);
  expectFaultBody(answer, 'token-invalid');
  await dapr.stop();
});
