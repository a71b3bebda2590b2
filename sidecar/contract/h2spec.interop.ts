// The peer port speaks HTTP/2 as h2spec wants it. h2spec has no client certificate, so it comes by a relay that has one.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outputOf, program } from '../../wire/testing/programs.ts';
import { echo, identityOf, type Mesh, startMesh } from '../testing/mesh.ts';
import { dialPeer, type Relay, relay } from '../testing/relay.ts';

let mesh: Mesh;
let plain: Relay;
beforeAll(async () => {
  mesh = await startMesh();
  const shop = await mesh.start('shop', { handler: echo });
  plain = await relay(dialPeer(shop.sidecar.ports.peer, mesh.ca.issue(identityOf('h2spec'))));
});
afterAll(async () => {
  await plain.close();
  await mesh.close();
});

test('every case of h2spec passes on the peer port', async ({ skip }) => {
  const h2spec = program('h2spec', skip);
  const said = await outputOf(h2spec, ['-h', '127.0.0.1', '-p', String(plain.port), '-o', '5']);
  expect(said).toMatch(/145 tests, 145 passed, 0 skipped, 0 failed/);
});
