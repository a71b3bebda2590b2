// Thousands of ways to write a path, against one rule that denies and one that allows: whatever the server behind the sidecar makes of
// paths, nobody gets to what is denied. Over each way in which a call can come.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { canonicalPath, encodeDecodedPath } from '../../api/path.ts';
import { encodeRequest } from '../../api/proto/peer-encoding.ts';
import { joined } from '../../api/proto/testing-schema.ts';
import { readAccessPolicy } from '../../api/resources/access-policy.ts';
import { must } from '../../kit/result.ts';
import { compileAccess } from '../../policy/access/compile.ts';
import { decide } from '../../policy/access/decide.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import type { ConfigResource } from '../feed/feed.ts';
import { DaprClient } from '../testing/dapr-client.ts';
import { type TestFeed, testFeed } from '../testing/feed.ts';
import { identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { type RawPeer, rawPeer } from '../testing/raw-peer.ts';
import { to } from './testing.ts';
import { policy, says } from './testing-access.ts';
import { ALL_SERVERS, AttackedApp, serversTaking } from './testing-attack-apps.ts';
import { ATTACKS } from './testing-attack-paths.ts';
import { type Attack, attackAll, Http1Attacker, Http2Attacker, statusOf } from './testing-attackers.ts';

const NO_ADMIN = policy('no-admin', {
  default: 'allow',
  rules: [{ name: 'admin', action: 'deny', to: [{ paths: ['/admin', '/admin/**'] }] }],
});
const PUBLIC_ALONE = policy('public-alone', { rules: [{ name: 'public', to: [{ paths: ['/public/**'] }] }] });
const PATIENCE_MS = 240_000;

const app = new AttackedApp();
let mesh: Mesh;
let callee: MeshSidecar;
let feed: TestFeed;
let peer: RawPeer;
let client: DaprClient;
let http1: Http1Attacker;
let http1ByHeader: Http1Attacker;
let http2: Http2Attacker;
let http2ByHeader: Http2Attacker;

beforeAll(async () => {
  mesh = await startMesh();
  feed = testFeed();
  const caller = await mesh.start('caller');
  callee = await mesh.start('callee', { handler: app.listener, feed });
  peer = await rawPeer(callee.sidecar.ports.peer, mesh.ca.issue(identityOf('peer')));
  client = new DaprClient(caller.sidecar.ports.grpc);
  const port = caller.sidecar.ports.http;
  [http1, http1ByHeader] = [new Http1Attacker(port), new Http1Attacker(port, ['dapr-app-id: callee'])];
  [http2, http2ByHeader] = [new Http2Attacker(port), new Http2Attacker(port, { 'dapr-app-id': 'callee' })];
});
beforeEach(() => app.reset());
afterAll(async () => {
  for (const attacker of [http1, http1ByHeader, http2, http2ByHeader, client, peer]) attacker.close();
  await mesh.close();
});

const inUrl = (path: string) => to('callee', path.startsWith('/') ? path : `/${path}`);

/** By a sidecar that is not ours, or no sidecar at all: it spells no path. */
function byPeer(isCanonicalPath: boolean): Attack {
  return (path) => {
    const head = { verb: 'GET', path, isCanonicalPath, query: '', headers: [] };
    const stream = peer.open();
    stream.end(frameMessage(joined(encodeRequest({ head, data: undefined, seq: 0, trailers: [] }))));
    return statusOf(stream);
  };
}

const WAYS = {
  'HTTP/1.1, in the URL': (path) => http1.attack(inUrl(path)),
  'HTTP/1.1, by header': (path) => http1ByHeader.attack(path),
  'HTTP/2, in the URL': (path) => http2.attack(inUrl(path)),
  'HTTP/2, by header': (path) => http2ByHeader.attack(path),
  'InvokeService, which decodes nothing': async (method) => (await client.invoke({ method, verb: 1 })).status.code,
  'a peer that claims to have spelled the path': byPeer(true),
  'a peer that has decoded the path': byPeer(false),
  'a peer that has decoded the path, as it would': (path) => byPeer(false)(decodedByPeer(path)),
} satisfies Record<string, Attack>;

function decodedByPeer(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** One after another, by each of the ways in turn. */
function all(attacks: readonly string[]): Promise<unknown> {
  return attackAll(attacks, Object.values(WAYS));
}

test('every server of the test is got at where nothing is denied', { timeout: PATIENCE_MS }, async () => {
  feed.config.set(says([]));
  for (const attack of Object.values(WAYS)) {
    await attackAll(['/admin', '/public/../admin', '/ADMIN', '/%2561dmin', '/admin;x'], [attack]);
  }
  expect(new Set(app.hits.map(({ server }) => server))).toEqual(new Set(ALL_SERVERS));
});

test('nobody gets to what one rule denies', { timeout: PATIENCE_MS }, async () => {
  feed.config.set(says([NO_ADMIN]));
  await all(ATTACKS);
  expect(app.hits).toEqual([]);
  // Nor is it so that nothing came.
  expect(app.requests).toBeGreaterThan(ATTACKS.length / 20);
});

test('nobody gets to what no rule allows', { timeout: PATIENCE_MS }, async () => {
  feed.config.set(says([PUBLIC_ALONE]));
  await all(ATTACKS.filter((_, i) => i % 3 === 0));
  expect(app.hits).toEqual([]);
  expect(app.requests).toBeGreaterThan(0);
});

test('no spelling that a sidecar makes of an attack is let through by the one rule or by the other', () => {
  const own = identityOf('callee');
  const denies = [NO_ADMIN, PUBLIC_ALONE].map((one) => rulesOf(one));
  for (const attack of ATTACKS) {
    for (const raw of [untilQuery(attack), encodeDecodedPath(attack), encodeDecodedPath(decodedByPeer(attack))]) {
      const path = canonicalPath(raw);
      if (!path.ok) continue;
      const call = { caller: own, kind: 'http', method: 'GET', path: path.value } as const;
      const servers = serversTaking(path.value);
      if (servers.length === 0) continue;
      for (const rules of denies) expect(decide(rules, call).kind, `${path.value} for ${servers}`).toBe('deny');
    }
  }
});

function rulesOf({ namespace, name, spec }: ConfigResource) {
  const policies = [{ namespace, name, spec: must(readAccessPolicy(spec)) }];
  return compileAccess({ own: identityOf('callee'), policies, defaults: { installation: 'allow' } });
}

function untilQuery(target: string): string {
  return target.split('?')[0] ?? '';
}
