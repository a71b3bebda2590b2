// Native gRPC calls over TLS to what has no sidecar: who is believed, who is not, and what the caller reads about it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls';
import { status as Code, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type IssueOptions, type ThrowawayCa, throwawayCa } from '../../identity/testing.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { callerOf, faultOf, type GrpcApp, grpcApp, type Outcome } from '../testing/grpc-app.ts';
import { echo, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { certified, endpoint, outside, secureService } from '../testing/outside.ts';
import { expectFault, send, to } from './testing.ts';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.close());

let callers = 0;
const literal = (value: string) => ({ value });
const rootOf = (ca: ThrowawayCa) => ca.anchors.join('');

interface Service {
  readonly port: number;
  readonly root: string;
}

/** By grpc-js, for `localhost` unless it is said, with an authority that nobody else knows; `clients` may call, if they are said. */
async function grpcService(
  issued: IssueOptions = {},
  clients?: ThrowawayCa,
): Promise<Service & { readonly app: GrpcApp }> {
  const ca = throwawayCa();
  const { cert, key } = certified(ca, issued);
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  const roots = clients === undefined ? null : Buffer.from(rootOf(clients));
  const app = await grpcApp({}, ServerCredentials.createSsl(roots, [pair], clients !== undefined));
  onTestFinished(() => app.close());
  return { port: app.port, root: rootOf(ca), app };
}

/** A sidecar with one endpoint, `bank`, that is the service. */
async function sidecarFor({ port }: Service, clientTLS: object = {}, more = {}): Promise<MeshSidecar> {
  callers++;
  const bank = endpoint('bank', { baseUrl: `https://localhost:${port}`, clientTLS });
  const config = { outside: outside({ allowed: [`localhost:${port}`], endpoints: [bank] }) };
  return mesh.start(`caller-${callers}`, { config, ...more });
}

async function call(sidecar: MeshSidecar, target = 'bank'): Promise<Outcome> {
  const caller = callerOf(sidecar, target);
  onTestFinished(() => caller.close());
  return caller.call('Unary', ['x']);
}

const told = (outcome: Outcome) => [outcome.status.code, faultOf(outcome)];

async function metricsOf({ sidecar }: MeshSidecar): Promise<string> {
  return (await send(sidecar.ports.metrics ?? 0, { path: '/metrics' })).body.toString();
}

function socketOf({ session }: http2.ServerHttp2Stream): TLSSocket & { readonly servername: string } {
  if (session === undefined) throw new Error('the stream has no connection');
  return session.socket as TLSSocket & { servername: string };
}

/** It ends with the test. */
async function listening(server: Server | http2.Http2SecureServer): Promise<number> {
  const open = new Set<TLSSocket>();
  server.on('secureConnection', (socket: TLSSocket) => open.add(socket.on('error', () => undefined)));
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return portOf(server);
}

describe('the service', () => {
  test('is believed by the authority that the endpoint names, and by no URL', async () => {
    const service = await grpcService();
    const sidecar = await sidecarFor(service, { rootCA: literal(service.root) });
    const outcome = await call(sidecar);
    expect([outcome.status.code, outcome.messages.map(String)]).toEqual([Code.OK, ['x']]);
    const byUrl = await call(sidecar, `https://localhost:${service.port}`);
    expect(told(byUrl)).toEqual([Code.UNAVAILABLE, 'external-untrusted']);
    expect(byUrl.status.details).toContain('signed by an authority that is not trusted here');
    expect(service.app.seen).toHaveLength(1);
  });

  test('is sent its name, asked for h2 and nothing else, and told that it is called over TLS', async () => {
    const ca = throwawayCa();
    const server = http2.createSecureServer(certified(ca));
    const seen: unknown[] = [];
    server.on('stream', (stream, headers) => {
      const { servername, alpnProtocol } = socketOf(stream);
      seen.push(servername, alpnProtocol, headers[':scheme'], headers[':authority']);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true });
    });
    const port = await listening(server);
    const sidecar = await sidecarFor({ port, root: '' }, { rootCA: literal(rootOf(ca)) });
    expect((await call(sidecar)).status.code).toBe(Code.OK);
    expect(seen).toEqual(['localhost', 'h2', 'https', `localhost:${port}`]);
  });

  const HOUR_MS = 3_600_000;
  test.each([
    ['of another authority', {}, () => rootOf(throwawayCa()), 'signed by an authority that is not trusted here'],
    ['that has expired', { notBefore: Date.now() - HOUR_MS, notAfter: Date.now() - 60_000 }, undefined, 'has expired'],
    ['for another name', { dnsNames: ['other.example'] }, undefined, 'is for another name'],
  ])('with a certificate %s is not believed, and that is counted', async (_what, issued, root, words) => {
    const service = await grpcService(issued);
    const sidecar = await sidecarFor(service, { rootCA: literal(root?.() ?? service.root) });
    const outcome = await call(sidecar);
    expect(told(outcome)).toEqual([Code.UNAVAILABLE, 'external-untrusted']);
    expect(outcome.status.details).toContain(words);
    expect(outcome.status.details).not.toContain('127.0.0.1');
    expect(await metricsOf(sidecar)).toContain(
      'invoke_requests_total{direction="outbound",peer="external/bank",status="503",fault="external-untrusted"} 1',
    );
    expect(service.app.seen).toEqual([]);
  });

  test.each([
    ['offers HTTP/1.1 alone', { ALPNProtocols: ['http/1.1'] }],
    ['offers nothing', { ALPNProtocols: undefined }],
  ])('that %s over TLS is none for gRPC, and was sent nothing', async (_what, tls) => {
    const service = await secureService(echo, {}, () => tls);
    const outcome = await call(await sidecarFor(service, { rootCA: literal(service.root) }));
    expect(told(outcome)).toEqual([Code.UNAVAILABLE, 'external-unreachable']);
    expect(outcome.status.details).toContain('does not speak HTTP/2');
  });

  test('that speaks no TLS cannot be reached by https', async () => {
    const plain = await grpcApp();
    onTestFinished(() => plain.close());
    const outcome = await call(await sidecarFor({ port: plain.port, root: '' }));
    expect(told(outcome)).toEqual([Code.UNAVAILABLE, 'external-unreachable']);
  });

  test('that offers HTTP/2 alone is none for HTTP, which says so', async () => {
    const ca = throwawayCa();
    const port = await listening(createTlsServer({ ...certified(ca), ALPNProtocols: ['h2'] }));
    const { sidecar } = await sidecarFor({ port, root: '' }, { rootCA: literal(rootOf(ca)) });
    const message = expectFault(await send(sidecar.ports.http, { path: to('bank') }), 'external-unreachable');
    expect(message).toContain('does not speak HTTP/1.1');
  });
});

describe('a client certificate', () => {
  const shown = ({ cert, key }: { cert: string; key: string }) => ({
    certificate: literal(cert),
    privateKey: literal(key),
  });

  test('of the right authority is shown and taken; with another, or none, nothing is called', async () => {
    const clients = throwawayCa('clients');
    const service = await grpcService({}, clients);
    const rootCA = literal(service.root);
    const right = await sidecarFor(service, { rootCA, ...shown(certified(clients)) });
    expect((await call(right)).status.code).toBe(Code.OK);
    for (const wrong of [shown(certified(throwawayCa('strangers'))), {}]) {
      const outcome = await call(await sidecarFor(service, { rootCA, ...wrong }));
      // Some servers say why they hang up, and some do not.
      expect(['external-untrusted', 'external-unreachable']).toContain(faultOf(outcome));
      expect(outcome.status.details).toContain('clientTLS');
    }
    expect(service.app.seen).toHaveLength(1);
  });

  test('is for its endpoint alone, also where another leads to the same place', async () => {
    const ca = throwawayCa();
    const clients = throwawayCa('clients');
    const server = http2.createSecureServer({
      ...certified(ca),
      requestCert: true,
      rejectUnauthorized: false,
      ca: rootOf(clients),
    });
    server.on('stream', (stream) => {
      const { authorized } = socketOf(stream);
      const status = authorized ? '0' : '16';
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status },
        { endStream: true },
      );
    });
    const port = await listening(server);
    const baseUrl = `https://localhost:${port}`;
    const rootCA = literal(rootOf(ca));
    const bank = endpoint('bank', { baseUrl, clientTLS: { rootCA, ...shown(certified(clients)) } });
    const anonymous = endpoint('anonymous', { baseUrl, clientTLS: { rootCA } });
    callers++;
    const config = { outside: outside({ allowed: [`localhost:${port}`], endpoints: [bank, anonymous] }) };
    const sidecar = await mesh.start(`caller-${callers}`, { config });
    expect((await call(sidecar, 'bank')).status.code).toBe(Code.OK);
    expect(told(await call(sidecar, 'anonymous'))).toEqual([Code.UNAUTHENTICATED, undefined]);
  });
});

test('a root in a Secret that changes is the one by which calls go on, on another connection', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'bank-ca'));
  const write = (pem: string) => writeFileSync(join(folder, 'bank-ca', 'ca.crt'), pem);
  const service = await grpcService();
  write(service.root);
  const clock = manualClock();
  const rootCA = { secretKeyRef: { name: 'bank-ca', key: 'ca.crt' } };
  const bank = endpoint('bank', { baseUrl: `https://localhost:${service.port}`, clientTLS: { rootCA } });
  const settings = { allowed: [`localhost:${service.port}`], endpoints: [bank], secretsDirectory: folder };
  callers++;
  const sidecar = await mesh.start(`caller-${callers}`, { config: { outside: outside(settings) }, clock });
  expect((await call(sidecar)).status.code).toBe(Code.OK);
  // The connection is there still, and is not believed any more.
  write(rootOf(throwawayCa()));
  clock.advance(5000);
  expect(told(await call(sidecar))).toEqual([Code.UNAVAILABLE, 'external-untrusted']);
  write(service.root);
  clock.advance(5000);
  expect((await call(sidecar)).status.code).toBe(Code.OK);
});
