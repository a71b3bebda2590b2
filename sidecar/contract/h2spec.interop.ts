// The ports of a sidecar that speak HTTP/2 speak it as h2spec wants it. h2spec has no client certificate, so it comes to the
// peer port by a relay that has one.
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outputOf, program } from '../../wire/testing/programs.ts';
import { identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { dialPeer, type Relay, relay } from '../testing/relay.ts';
import { to } from './testing.ts';

let mesh: Mesh;
let shop: MeshSidecar;
let plain: Relay;
beforeAll(async () => {
  mesh = await startMesh();
  const handler: RequestListener = (request, response) => {
    request.on('error', () => undefined).on('end', () => response.end('Hello from the far side.'));
    request.resume();
  };
  shop = await mesh.start('shop', { handler });
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

test('every case of h2spec passes on the HTTP port for apps but one, in which HTTP/1.1 is spoken', async ({ skip }) => {
  const h2spec = program('h2spec', skip);
  const port = String(shop.sidecar.ports.http);
  // A call, since a refusal may come before the request has ended, for which h2spec does not wait.
  const args = ['-h', '127.0.0.1', '-p', port, '-P', to('shop'), '-o', '5'];
  // It ends with 1 where a case fails.
  const said = await outputOf('/bin/sh', ['-c', '"$0" "$@"; true', h2spec, ...args]);
  expect(said).toMatch(/145 tests, 144 passed, 0 skipped, 1 failed/);
  expect(said).toMatch(/2: Sends invalid connection preface\n +-> The endpoint MUST terminate the TCP connection/);
});
