// The ports of a sidecar that speak HTTP/2 speak it as h2spec wants it. h2spec has no client certificate, so it comes to the
// peer port by a relay that has one.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outputOf, program } from '../../wire/testing/programs.ts';
import { echo, identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { dialPeer, type Relay, relay } from '../testing/relay.ts';

let mesh: Mesh;
let shop: MeshSidecar;
let plain: Relay;
beforeAll(async () => {
  mesh = await startMesh();
  shop = await mesh.start('shop', { handler: echo });
  plain = await relay(dialPeer(shop.sidecar.ports.peer, mesh.ca.issue(identityOf('h2spec'))));
});
afterAll(async () => {
  await plain.close();
  await mesh.close();
});

test.for<[string, () => number | undefined]>([
  ['peer port', () => plain.port],
  ['gRPC port for apps', () => shop.sidecar.ports.grpc],
])('every case of h2spec passes on the %s', async ([, port], { skip }) => {
  const h2spec = program('h2spec', skip);
  const said = await outputOf(h2spec, ['-h', '127.0.0.1', '-p', String(port()), '-o', '5']);
  expect(said).toMatch(/145 tests, 145 passed, 0 skipped, 0 failed/);
});
