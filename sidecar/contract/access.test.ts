// Access policies as calls meet them, over two sidecars: what passes, what does not, what people are told, and when an edit counts.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestFeed, testFeed } from '../testing/feed.ts';
import { type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { expectFault, headerOf, ScriptedApp, send, to } from './testing.ts';
import { fence, policy, says } from './testing-access.ts';

let mesh: Mesh;
let caller: MeshSidecar;
let stranger: MeshSidecar;
let callee: MeshSidecar;
const app = new ScriptedApp();
/** Of the app that is called, and of the caller: an operator tells each what concerns it. */
let feed: TestFeed;
let callersFeed: TestFeed;
beforeAll(async () => {
  mesh = await startMesh();
  [feed, callersFeed] = [testFeed(), testFeed()];
  [caller, stranger, callee] = await Promise.all([
    mesh.start('caller', { feed: callersFeed }),
    mesh.start('stranger', { namespace: 'other' }),
    mesh.start('callee', { handler: app.listener, feed }),
  ]);
});
beforeEach(() => {
  feed.config.set(says([]));
  callersFeed.config.set(says([]));
});
afterEach(() => app.reset());
afterAll(() => mesh.close());

const CALLER = 'spiffe://test.local/ns/default/caller';
const call = (path = '/orders', method = 'GET') =>
  send(caller.sidecar.ports.http, { method, path: to('callee', path) });
const callFromAfar = (path = '/orders') => send(stranger.sidecar.ports.http, { path: to('callee.default', path) });
const callSelf = (path: string) => send(callee.sidecar.ports.http, { path: to('callee', path) });

const READS = { name: 'reads', from: [{ app: 'caller' }], to: [{ methods: ['GET'], paths: ['/orders'] }] };

describe('a policy that selects the app', () => {
  test('lets in what a rule allows, and nothing else', async () => {
    feed.config.set(says([policy('orders', { rules: [READS] })]));
    expect((await call()).status).toBe(200);
    expect(app.seen).toHaveLength(1);
    const denied = expectFault(await call('/orders', 'DELETE'), 'denied');
    expect(denied).toBe(
      `callee.default does not let in this call of ${CALLER}: no rule allows it, by the default of default/orders; \`invokectl explain\` says what would let it in.`,
    );
    expectFault(await callFromAfar(), 'denied');
    expect(app.seen).toHaveLength(1);
  });

  test('names the rule that denies, and of the others none', async () => {
    const rules = [READS, { name: 'no-secrets', action: 'deny' as const, to: [{ paths: ['/secret/**'] }] }];
    feed.config.set(says([policy('orders', { default: 'allow', rules })]));
    expect((await call('/anything')).status).toBe(200);
    const denied = expectFault(await call('/secret/1'), 'denied');
    expect(denied).toContain('the rule default/orders/no-secrets denies it');
    expect(denied).not.toContain('reads');
  });

  test('holds for an app that calls itself, too', async () => {
    feed.config.set(says([policy('orders', { rules: [READS] })]));
    expect(expectFault(await callSelf('/orders'), 'denied')).toContain('spiffe://test.local/ns/default/callee');
    feed.config.set(says([policy('orders', { rules: [{ name: 'self', from: [{ app: 'callee' }] }] })]));
    expect((await callSelf('/orders')).status).toBe(200);
  });

  test('is asked about the path that the app gets, however it was written', async () => {
    feed.config.set(says([policy('orders', { rules: [READS] })]));
    for (const path of ['/x/../orders', '//orders', '/%6Frders']) expect((await call(path)).status).toBe(200);
    for (const path of ['/orders/', '/Orders', '/orders%2F..%2Fadmin']) expect((await call(path)).status).not.toBe(200);
    expect(new Set(app.seen.map(({ url }) => url))).toEqual(new Set(['/orders']));
  });

  test('is not evaded by headers that claim to be somebody else', async () => {
    feed.config.set(says([policy('orders', { rules: [READS] })]));
    const headers = ['dapr-caller-app-id', 'caller', 'invoke-caller-id', CALLER];
    const answer = await send(stranger.sidecar.ports.http, { path: to('callee.default', '/orders'), headers });
    expect(expectFault(answer, 'denied')).toContain('spiffe://test.local/ns/other/stranger');
  });
});

test('a denied call is not tried again, and its answer is not one of the app', async () => {
  feed.config.set(says([policy('orders', {})]));
  const answer = await call();
  expectFault(answer, 'denied');
  expect(headerOf(answer, 'retry-after')).toBeUndefined();
  expect(app.seen).toHaveLength(0);
  app.handler = (_, response) => void response.writeHead(403).end('mine');
  feed.config.set(says([]));
  const own = await call();
  expect([own.status, headerOf(own, 'invoke-fault'), own.body.toString()]).toEqual([403, undefined, 'mine']);
});

describe('without a policy', () => {
  test("the installation's default decides", async () => {
    feed.config.set(says([], { defaultAccess: 'deny' }));
    expect(expectFault(await call(), 'denied')).toContain('the default of the installation is to deny');
  });

  test("the namespace's default comes before it", async () => {
    feed.config.set(says([fence({ defaultAccess: 'allow' })], { defaultAccess: 'deny' }));
    expect((await call()).status).toBe(200);
    feed.config.set(says([fence({ defaultAccess: 'deny' })]));
    expect(expectFault(await call(), 'denied')).toContain('the default of namespace default is to deny');
  });
});

describe('the fence', () => {
  test('keeps out who is not among the namespaces that may call in; no rule opens it', async () => {
    const rules = [{ name: 'all', from: [{ app: '*', namespace: '*' }] }];
    feed.config.set(says([fence({ callableFrom: [{ namespace: 'front' }] }), policy('orders', { rules })]));
    expect(expectFault(await callFromAfar(), 'denied')).toContain('callableFrom of namespace default');
    expect((await call()).status).toBe(200);
  });

  test('is kept by the called side, too, where the caller may not call it', async () => {
    feed.config.set(says([], { barredNamespaces: ['other'] }));
    expect(expectFault(await callFromAfar(), 'denied')).toContain("mayCall of the caller's namespace");
    expect((await call()).status).toBe(200);
  });

  test("turns a call back at the caller's side, before anything is sent", async () => {
    callersFeed.config.set(says([fence({ mayCall: [{ namespace: 'shared' }] })]));
    const answer = await send(caller.sidecar.ports.http, { path: to('stranger.other', '/x') });
    expect(expectFault(answer, 'denied')).toBe(
      "caller.default may not call stranger.other, so nothing was sent: mayCall of namespace default does not have it. The platform team's NamespacePolicy decides that.",
    );
    expect((await call()).status).toBe(200);
    expectFault(await send(caller.sidecar.ports.http, { path: to('nobody.shared', '/x') }), 'unknown-app');
  });
});

describe('an edit', () => {
  test('counts from the next call on, on connections that are open', async () => {
    expect((await call()).status).toBe(200);
    feed.config.set(says([policy('orders', {})]));
    expectFault(await call(), 'denied');
    feed.config.set(says([policy('orders', { rules: [READS] })]));
    expect((await call()).status).toBe(200);
  });

  test('that cannot be read leaves what was said before', async () => {
    feed.config.set(says([policy('orders', { rules: [READS] })]));
    feed.config.set(says([policy('orders', { rules: 'of tomorrow' })]));
    expect((await call()).status).toBe(200);
    expectFault(await call('/other'), 'denied');
  });

  test('that takes everything away opens again', async () => {
    feed.config.set(says([policy('orders', {})]));
    feed.config.set(says([]));
    expect((await call()).status).toBe(200);
  });
});

test.each([
  ['AccessPolicy', policy('orders', { when: 'it rains' }), 'default/orders'],
  ['NamespacePolicy', fence({ callableFrom: 'everybody' }), 'default/NamespacePolicy'],
])('an unreadable %s of which nothing else is known closes the app, and says so', async (_kind, resource, name) => {
  feed.config.set(says([resource]));
  const denied = expectFault(await call(), 'denied');
  expect(denied).toContain(`the policy ${name} cannot be read`);
  expect(denied).not.toContain('it rains');
});

test('a policy in audit mode changes nothing for callers, and counts whom it would deny', async () => {
  feed.config.set(says([policy('strict', { mode: 'audit' })]));
  expect((await call()).status).toBe(200);
  const { body } = await send(callee.sidecar.ports.metrics ?? 0, { path: '/metrics' });
  expect(String(body)).toContain(
    'invoke_access_audit_denied_total{peer="caller.default",rule="default of default/strict"} 1',
  );
  expect(feed.auditedBy).toEqual(['default of default/strict']);
});
