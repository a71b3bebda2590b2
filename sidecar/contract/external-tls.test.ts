// Calling what has no sidecar over TLS: who is believed, who is not, and what the caller reads about it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { throwawayCa } from '../../identity/testing.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { echo, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';
import { certified, endpoint, outside, plainService, type SecureService, secureService } from '../testing/outside.ts';
import { expectFault, headerOf, send, to } from './testing.ts';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.close());

let callers = 0;

/** A sidecar with one endpoint, `bank`, that is the service. */
async function callerOf({ port }: SecureService, clientTLS: object = {}, host = 'localhost', more = {}) {
  callers++;
  const bank = endpoint('bank', { baseUrl: `https://${host}:${port}`, clientTLS });
  const allowed = [`localhost:${port}`, `127.0.0.1:${port}`];
  return mesh.start(`caller-${callers}`, { config: { outside: outside({ allowed, endpoints: [bank], ...more }) } });
}

const call = ({ sidecar }: MeshSidecar, target = 'bank') => send(sidecar.ports.http, { path: to(target, '/x') });
const literal = (value: string) => ({ value });

async function metricsOf({ sidecar }: MeshSidecar): Promise<string> {
  return (await send(sidecar.ports.metrics ?? 0, { path: '/metrics' })).body.toString();
}

describe('the service', () => {
  test('is believed by the authority that the endpoint names, and by no URL', async () => {
    const service = await secureService(echo);
    const caller = await callerOf(service, { rootCA: literal(service.root) });
    const answer = await call(caller);
    expect([answer.status, headerOf(answer, 'x-url')]).toEqual([200, '/x']);
    const byUrl = await call(caller, `https://localhost:${service.port}`);
    expect(expectFault(byUrl, 'external-untrusted')).toContain('signed by an authority that is not trusted here');
  });

  test('is sent its name, and no protocol but HTTP/1.1 is offered', async () => {
    const service = await secureService((request, response) => {
      const { servername, alpnProtocol } = request.socket as TLSSocket & { servername: string };
      response.end(JSON.stringify([servername, alpnProtocol]));
    });
    const caller = await callerOf(service, { rootCA: literal(service.root) });
    expect(JSON.parse((await call(caller)).body.toString())).toEqual(['localhost', 'http/1.1']);
  });

  const HOUR_MS = 3_600_000;
  test.each([
    [
      'of another authority',
      {},
      () => throwawayCa().anchors.join(''),
      'signed by an authority that is not trusted here',
    ],
    ['that has expired', { notBefore: Date.now() - HOUR_MS, notAfter: Date.now() - 60_000 }, undefined, 'has expired'],
    [
      'that is not valid yet',
      { notBefore: Date.now() + HOUR_MS, notAfter: Date.now() + 2 * HOUR_MS },
      undefined,
      'not valid yet',
    ],
    ['for another name', { dnsNames: ['other.example'] }, undefined, 'is for another name'],
    ['without a name', { dnsNames: [] }, undefined, 'is for another name'],
  ])('with a certificate %s is not believed, and that is counted', async (_what, issued, root, words) => {
    const seen: string[] = [];
    const service = await secureService((request, response) => {
      seen.push(request.url ?? '');
      response.end();
    }, issued);
    const caller = await callerOf(service, { rootCA: literal(root?.() ?? service.root) });
    const message = expectFault(await call(caller), 'external-untrusted');
    expect(message).toContain(words);
    expect(message).not.toContain('127.0.0.1');
    expect(await metricsOf(caller)).toContain(
      'invoke_requests_total{direction="outbound",peer="external/bank",status="503",fault="external-untrusted"} 1',
    );
    expect(seen).toEqual([]);
  });

  test('is looked for under its address where it is called by that', async () => {
    const service = await secureService(echo);
    const caller = await callerOf(service, { rootCA: literal(service.root) }, '127.0.0.1');
    expect(expectFault(await call(caller), 'external-untrusted')).toContain('is for another name');
  });

  test('that speaks no TLS cannot be reached by https', async () => {
    const port = await plainService(echo);
    const caller = await callerOf({ port, root: '', ca: throwawayCa() });
    expect(expectFault(await call(caller), 'external-unreachable')).toContain('no TLS came of it');
  });
});

describe('a client certificate', () => {
  const wanted = { requestCert: true, rejectUnauthorized: true };

  test('of the right authority is shown and taken; one of another, or none, is not', async () => {
    const clients = throwawayCa('clients');
    const strangers = throwawayCa('strangers');
    const service = await secureService(
      (request, response) => response.end(String((request.socket as TLSSocket).authorized)),
      {},
      () => ({ ...wanted, ca: clients.anchors.join('') }),
    );
    const rootCA = literal(service.root);
    const of = ({ cert, key }: { cert: string; key: string }) => ({
      certificate: literal(cert),
      privateKey: literal(key),
    });
    const right = await callerOf(service, { rootCA, ...of(certified(clients)) });
    expect((await call(right)).body.toString()).toBe('true');
    for (const wrong of [of(certified(strangers)), {}]) {
      const answer = await call(await callerOf(service, { rootCA, ...wrong }));
      expect(['external-untrusted', 'external-broke', 'external-unreachable']).toContain(
        headerOf(answer, 'invoke-fault'),
      );
      expect([502, 503]).toContain(answer.status);
    }
  });

  test('is for its endpoint alone: a URL of the same place shows none', async () => {
    const clients = throwawayCa('clients');
    const service = await secureService(
      (request, response) => response.end(String((request.socket as TLSSocket).authorized)),
      {},
      () => ({ requestCert: true, rejectUnauthorized: false, ca: clients.anchors.join('') }),
    );
    const { cert, key } = certified(clients);
    const rootCA = literal(service.root);
    callers++;
    const bank = endpoint('bank', {
      baseUrl: `https://localhost:${service.port}`,
      clientTLS: { rootCA, certificate: literal(cert), privateKey: literal(key) },
    });
    const anonymous = endpoint('anonymous', { baseUrl: `https://localhost:${service.port}`, clientTLS: { rootCA } });
    const config = { outside: outside({ allowed: [`localhost:${service.port}`], endpoints: [bank, anonymous] }) };
    const caller = await mesh.start(`caller-${callers}`, { config });
    expect((await call(caller, 'bank')).body.toString()).toBe('true');
    expect((await call(caller, 'anonymous')).body.toString()).toBe('false');
  });

  test('whose key is another one’s is a fault that says so', async () => {
    const ca = throwawayCa();
    const [one, other] = [certified(ca), certified(ca)];
    const service = await secureService(echo);
    const caller = await callerOf(service, { certificate: literal(one.cert), privateKey: literal(other.key) });
    expect(expectFault(await call(caller), 'external-unreachable')).toContain('with the key of its own certificate');
  });
});

test('a root in a Secret that changes is the one by which the next connection is judged', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'bank-ca'));
  const write = (pem: string) => writeFileSync(join(folder, 'bank-ca', 'ca.crt'), pem);
  write(throwawayCa().anchors.join(''));
  const service = await secureService(echo);
  const clock = manualClock();
  callers++;
  const rootCA = { secretKeyRef: { name: 'bank-ca', key: 'ca.crt' } };
  const bank = endpoint('bank', { baseUrl: `https://localhost:${service.port}`, clientTLS: { rootCA } });
  const config = {
    outside: outside({ allowed: [`localhost:${service.port}`], endpoints: [bank], secretsDirectory: folder }),
  };
  const caller = await mesh.start(`caller-${callers}`, { config, clock });
  expectFault(await call(caller), 'external-untrusted');
  write(service.root);
  clock.advance(5000);
  expect((await call(caller)).status).toBe(200);
});
