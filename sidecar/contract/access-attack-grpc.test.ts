// Ways to write the path of a gRPC method that is denied, or that nobody allows: none leads to the service, whatever a server makes of
// the path. Through the caller's sidecar, and from a peer that has none.
import { once } from 'node:events';
import { createServer } from 'node:http2';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestFeed, testFeed } from '../testing/feed.ts';
import { grpcOn } from '../testing/grpc-app.ts';
import { identityOf, type Mesh, startMesh } from '../testing/mesh.ts';
import { type RawPeer, rawPeer } from '../testing/raw-peer.ts';
import { policy, says } from './testing-access.ts';
import { takesForAnything } from './testing-attack-apps.ts';
import { GRPC_ATTACKS } from './testing-attack-paths.ts';
import { type Attack, attackAll, Http2Attacker, statusOf } from './testing-attackers.ts';

const NO_ADMIN = policy('no-admin', {
  default: 'allow',
  rules: [{ name: 'admin', action: 'deny', to: [{ grpc: ['shop.v1.Admin/*'] }] }],
});
const PUBLIC_ALONE = policy('public-alone', { rules: [{ name: 'public', to: [{ grpc: ['shop.v1.Public/*'] }] }] });
const UNIMPLEMENTED = 12;
const PERMISSION_DENIED = 7;
const PATIENCE_MS = 240_000;

/** Takes any path for its service that looks like it in any way. */
const app = createServer();
const hits: string[] = [];
let requests = 0;
let mesh: Mesh;
let feed: TestFeed;
let peer: RawPeer;
let client: Http2Attacker;

beforeAll(async () => {
  app.on('stream', (stream, headers) => {
    requests++;
    const path = String(headers[':path']);
    if (takesForAnything(path).startsWith('/shop.v1.admin/')) hits.push(path);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true });
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const address = app.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  mesh = await startMesh();
  feed = testFeed();
  const caller = await mesh.start('caller');
  const callee = await mesh.start('callee', { config: grpcOn({ port }), feed });
  peer = await rawPeer(callee.sidecar.ports.peer, mesh.ca.issue(identityOf('peer')));
  client = new Http2Attacker(caller.sidecar.ports.grpc ?? 0, {
    ':method': 'POST',
    'content-type': 'application/grpc',
    te: 'trailers',
    'dapr-app-id': 'callee',
  });
});
beforeEach(() => {
  hits.length = 0;
  requests = 0;
});
afterAll(async () => {
  client.close();
  peer.close();
  await mesh.close();
  app.close();
});

const WAYS: readonly Attack[] = [
  (path) => client.attack(path),
  (path) => {
    const stream = peer.open(path);
    stream.end();
    return statusOf(stream);
  },
];

test('the service is there where nothing is denied', async () => {
  feed.config.set(says([]));
  for (const way of WAYS) expect(await way('/shop.v1.Admin/Drop')).toBe(0);
  expect(hits).toHaveLength(2);
});

test.each([
  ['denies it', NO_ADMIN],
  ['allows another alone', PUBLIC_ALONE],
])('nobody gets to the service where a rule %s', { timeout: PATIENCE_MS }, async (_, written) => {
  feed.config.set(says([written]));
  for (const way of WAYS) expect(await way('/shop.v1.Public/Get')).toBe(0);
  expect(requests).toBe(2);
  for (const way of WAYS) expect(await way('/shop.v1.Admin/Drop')).toBe(PERMISSION_DENIED);
  for (const way of WAYS) {
    const statuses = await attackAll(GRPC_ATTACKS, [way]);
    expect(statuses.get(PERMISSION_DENIED)).toBeGreaterThan(0);
    expect(statuses.get(UNIMPLEMENTED)).toBeGreaterThan(GRPC_ATTACKS.length / 2);
  }
  expect(hits).toEqual([]);
});

test.each([
  '/dapr.proto.runtime.v1.AppCallback/OnInvoke',
  '/dapr.proto.runtime.v1.AppCallback/ListTopicSubscriptions',
  '/dapr.proto.internals.v1.ServiceInvocation/CallActor',
  '/invoke.v1.Feed/Subscribe',
  '/invoke.v1.Admin/Drop',
  '/grpc.reflection.v1alpha.ServerReflection/Drop',
])('nobody gets to the app by the name of a package that is not its own: %s', async (path) => {
  feed.config.set(says([NO_ADMIN]));
  const before = requests;
  for (const way of WAYS) expect(await way(path)).toBe(UNIMPLEMENTED);
  expect([requests - before, hits]).toEqual([0, []]);
});
