// A sentry as it runs in the cluster, with an API server that speaks HTTP, and clients that come over TLS with tokens.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1TokenReview } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Identity, parseSpiffeId } from '../api/ids.ts';
import { requestCertificate, type SentryEndpoint, type SentryFailure } from '../identity/sentry-client.ts';
import type { Credentials } from '../identity/svid.ts';
import { systemClock } from '../kit/clock.ts';
import { createLog, silentLog } from '../kit/log.ts';
import { must, type Result } from '../kit/result.ts';
import { type ManualClock, manualClock } from '../kit/testing/clock.ts';
import { type ApiServer, startApiServer } from '../kube/testing/api-server.ts';
import { CONFIG_MAPS, PODS, SECRETS, TOKEN_REVIEWS } from '../kube/types.ts';
import { readConfig } from './env.ts';
import { type PodSentry, startPodSentry } from './pod.ts';

const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const operator = must(parseSpiffeId('spiffe://cluster.local/ns/mesh/invoke-operator'));
const config = must(
  readConfig({
    ...{ INVOKE_NAMESPACE: 'mesh', POD_NAME: 'invoke-sentry-1', INVOKE_WORKLOAD_CERT_TTL: '1h' },
    ...{ INVOKE_SENTRY_PORT: '0', INVOKE_HEALTH_PORT: '0', INVOKE_METRICS_PORT: '0' },
  }),
);

let directory: string;
let api: ApiServer;
let clock: ManualClock;
let sentries: PodSentry[];
let lines: string[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'invoke-sentry-pod-'));
  api = await startApiServer();
  clock = manualClock();
  sentries = [];
  lines = [];
  api.put(SECRETS, { metadata: { name: 'invoke-ca', namespace: 'mesh' } });
  api.review(TOKEN_REVIEWS, review);
});
afterEach(async () => {
  await Promise.all(sentries.map((sentry) => sentry.stop()));
  await api.stop();
  rmSync(directory, { recursive: true });
});

async function start(): Promise<PodSentry> {
  const audit = createLog({ level: 'info', format: 'json', write: (line) => lines.push(line), now: clock.now });
  const tools = { kube: api.kube, isLeader: () => true, clock, log: silentLog, audit };
  const sentry = must(await startPodSentry(config, tools));
  sentries.push(sentry);
  return sentry;
}

/** Tokens of these tests read `h.<namespace>_<pod>.s`. */
function review(asked: V1TokenReview): V1TokenReview {
  const [namespace = '', name = ''] = asked.spec.token?.split('.')[1]?.split('_') ?? [];
  const pod = api.object(PODS, name, namespace);
  if (!pod) return { ...asked, status: { authenticated: false, error: 'pod not found' } };
  const extra = {
    'authentication.kubernetes.io/pod-name': [name],
    'authentication.kubernetes.io/pod-uid': [pod.metadata?.uid ?? ''],
  };
  const username = `system:serviceaccount:${namespace}:${pod.spec?.serviceAccountName}`;
  const { audiences = [] } = asked.spec;
  return { ...asked, status: { authenticated: true, audiences, user: { username, extra } } };
}

function putPod(namespace: string, name: string, app: string, serviceAccountName = 'default'): string {
  const keys = { 'invoke.io/app-id': app };
  const metadata = { name, namespace, labels: keys, annotations: keys };
  api.put(PODS, { metadata, spec: { containers: [], serviceAccountName }, status: { phase: 'Running' } });
  return `h.${namespace}_${name}.s`;
}

function endpoint(sentry: PodSentry, token: string): SentryEndpoint {
  const trustAnchorsFile = join(directory, 'anchors.crt');
  const tokenFile = join(directory, 'token');
  writeFileSync(
    trustAnchorsFile,
    api.object(CONFIG_MAPS, 'invoke-trust-bundle', 'mesh')?.data?.['trust-anchors.crt'] ?? '',
  );
  writeFileSync(tokenFile, token);
  return {
    ...{ kind: 'tls', host: '127.0.0.1', port: sentry.ports().sentry ?? 0, trustAnchorsFile, tokenFile },
    ...{ tokenKind: 'kubernetes', sentryNamespace: config.namespace },
  };
}

function ask(sentry: PodSentry, token: string, identity: Identity): Promise<Result<Credentials, SentryFailure>> {
  return new Promise((done) => requestCertificate(endpoint(sentry, token), identity, { clock: systemClock }, done));
}

const page = async (port: number, path: string) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: answer.status, text: await answer.text() };
};

test('a pod gets the certificate of its app, for the life that was configured, and the operator gets its own', async () => {
  const sentry = await start();
  must(await sentry.opened);
  const { svid } = must(await ask(sentry, putPod('shop', 'web-1', 'web'), web));
  expect(svid.identity).toEqual(web);
  expect(svid.notAfter - svid.notBefore).toBe(3_660_000);
  must(await ask(sentry, putPod('mesh', 'invoke-operator-1', 'x', 'invoke-operator'), operator));
});

test('a pod that asks to be another is refused with a line that names both', async () => {
  const sentry = await start();
  must(await sentry.opened);
  const outcome = await ask(sentry, putPod('shop', 'orders-1', 'orders'), web);
  expect(outcome).toMatchObject({
    ok: false,
    error: {
      kind: 'refused',
      message: expect.stringMatching(/ns\/shop\/web, is not the proven one, .*ns\/shop\/orders/),
    },
  });
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { message: 'certificate refused', code: 'mismatch', asked: 'shop/web', pod: 'shop/orders-1', source: '127.0.0.1' },
  ]);
});

test('an API server that is away is not a refusal: clients try again', async () => {
  const sentry = await start();
  must(await sentry.opened);
  const token = putPod('shop', 'web-1', 'web');
  api.failNext(1, { status: 500 }, { plural: 'tokenreviews' });
  expect(await ask(sentry, token, web)).toMatchObject({ ok: false, error: { kind: 'unreachable' } });
  must(await ask(sentry, token, web));
});

test('it is ready when it signs, says why while it does not, and is alive all the time', async () => {
  api.remove(SECRETS, 'invoke-ca', 'mesh');
  const sentry = await start();
  const { health } = sentry.ports();
  await api.requested({ plural: 'secrets' });
  await expect.poll(() => sentry.unready(), { interval: 5 }).toContain('no Secret');
  expect(await page(health, '/readyz')).toMatchObject({ status: 503, text: expect.stringContaining('mesh/invoke-ca') });
  expect(await page(health, '/healthz')).toMatchObject({ status: 200 });
  expect(sentry.ports().sentry).toBeUndefined();
  api.put(SECRETS, { metadata: { name: 'invoke-ca', namespace: 'mesh' } });
  clock.advance(2000);
  must(await sentry.opened);
  expect(await page(health, '/readyz')).toMatchObject({ status: 200 });
});

test('metrics tell what was issued and refused, and when the certificates that sign end', async () => {
  const sentry = await start();
  must(await sentry.opened);
  must(await ask(sentry, putPod('shop', 'web-1', 'web'), web));
  await ask(sentry, 'h.shop_gone.s', web);
  const { text } = await page(sentry.ports().metrics, '/metrics');
  for (const line of [
    /^invoke_sentry_certificates_issued_total 1$/m,
    /^invoke_sentry_requests_refused_total{reason="not-proven"} 1$/m,
    /^invoke_sentry_request_duration_seconds_count{result="issued"} 1$/m,
    /^invoke_sentry_certificate_expiry_timestamp_seconds{certificate="root"} \d{10}$/m,
    /^invoke_sentry_certificate_expiry_timestamp_seconds{certificate="issuer"} \d{10}$/m,
    /^invoke_sentry_authority_loaded 1$/m,
    /^invoke_sentry_leader 1$/m,
  ]) {
    expect(text).toMatch(line);
  }
});

test('an authority that is put in place of another under way is shown to those who come thereafter', async () => {
  const sentry = await start();
  must(await sentry.opened);
  const token = putPod('shop', 'web-1', 'web');
  const before = must(await ask(sentry, token, web)).anchors;
  const first = api.object(SECRETS, 'invoke-ca', 'mesh');
  // Another installation's, made in the same place.
  api.put(SECRETS, { metadata: { name: 'invoke-ca', namespace: 'mesh' } });
  api.remove(CONFIG_MAPS, 'invoke-trust-bundle', 'mesh');
  const other = await start();
  must(await other.opened);
  expect(api.object(SECRETS, 'invoke-ca', 'mesh')?.data).not.toEqual(first?.data);
  clock.advance(10_000);
  await expect.poll(async () => (await ask(sentry, token, web)).ok, { interval: 20 }).toBe(true);
  expect(must(await ask(sentry, token, web)).anchors).not.toEqual(before);
});

test('stopping frees every port, whether it ever signed or not', async () => {
  const opened = await start();
  must(await opened.opened);
  api.failNext(9, { status: 403 }, { plural: 'secrets' });
  const shut = await start();
  for (const sentry of [opened, shut]) {
    const { health } = sentry.ports();
    await sentry.stop();
    await sentry.stop();
    await expect(page(health, '/healthz')).rejects.toThrow();
  }
  expect(clock.waiting()).toEqual([]);
});
