// Calling what has no sidecar out of a pod: the operator's snapshot says which endpoints and hosts there are.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { FeedConfig } from '../feed/feed.ts';
import { EMPTY_CONFIG, testFeed } from '../testing/feed.ts';
import { echo, type Mesh, startMesh } from '../testing/mesh.ts';
import { outside, plainService } from '../testing/outside.ts';
import { expectFault, headerOf, send, to } from './testing.ts';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.close());

function configOf(port: number, hosts: readonly string[] = [`127.0.0.1:${port}`]): FeedConfig {
  const of = { generation: 1, createdMs: 0 };
  const bank = {
    baseUrl: `http://localhost:${port}/v3`,
    headers: [{ name: 'authorization', secretKeyRef: { name: 'bank', key: 'token' } }],
  };
  return {
    ...EMPTY_CONFIG,
    resources: [
      { ...of, kind: 'HTTPEndpoint', namespace: 'default', name: 'bank', spec: bank },
      { ...of, kind: 'HTTPEndpoint', namespace: 'default', name: 'broken', spec: { baseUrl: 'nonsense' } },
      { ...of, kind: 'NamespacePolicy', namespace: '', name: 'default', spec: { externalHosts: [...hosts, '0x7f.1'] } },
    ],
  };
}

/** Rules of its own are nothing in a pod: those of the feed hold. */
async function podWith(secretsDirectory?: string) {
  const [feed, port] = [testFeed(), await plainService(echo)];
  const given = { allowed: ['*'], ...(secretsDirectory !== undefined && { secretsDirectory }) };
  const { sidecar, stop } = await mesh.start('web', { feed, config: { outside: outside(given) } });
  onTestFinished(async () => void (await stop()));
  return { feed, port, at: sidecar.ports.http };
}

test('nothing is called before the first snapshot, and then what it says', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { feed, port, at } = await podWith(folder);
  const url = `http://127.0.0.1:${port}`;
  expectFault(await send(at, { path: to(url) }), 'not-ready');
  feed.config.set(configOf(port));
  expect((await send(at, { path: to(url) })).status).toBe(200);
  expect(expectFault(await send(at, { path: to('https://api.example.com') }), 'denied')).toContain('externalHosts');
  // The operator names a Secret that was not mounted.
  expect(expectFault(await send(at, { path: to('bank') }), 'external-unreachable')).toContain(
    'Secret bank is not there',
  );
  feed.config.set({ ...EMPTY_CONFIG, epoch: 2 });
  expectFault(await send(at, { path: to(url) }), 'denied');
  expectFault(await send(at, { path: to('bank') }), 'unknown-app');
});

test('an endpoint reads the Secrets that are mounted, and reaches this machine only where that is listed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'bank'));
  writeFileSync(join(folder, 'bank', 'token'), 'mounted');
  const { feed, port, at } = await podWith(folder);
  feed.config.set(configOf(port));
  const answer = await send(at, { path: to('bank', '/charge') });
  expect([answer.status, headerOf(answer, 'x-url')]).toEqual([200, '/v3/charge']);
  expect(Buffer.from(headerOf(answer, 'x-raw-headers') ?? '', 'base64').toString()).toContain('mounted');
  feed.config.set(configOf(port, []));
  expect(expectFault(await send(at, { path: to('bank') }), 'denied')).toContain('this machine itself');
});
