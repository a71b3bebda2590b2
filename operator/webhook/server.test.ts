// The webhooks as the API server meets them: over HTTPS, under certificates that it can trust, with answers that it can read.
import { Agent, request } from 'node:https';
import type { V1MutatingWebhookConfiguration, V1ValidatingWebhookConfiguration } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Namespace } from '../../api/ids.ts';
import { readNamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { systemClock } from '../../kit/clock.ts';
import { createLog, silentLog } from '../../kit/log.ts';
import { renderMetrics } from '../../kit/metrics.ts';
import { err, must, ok, type Result } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { jsonPatch, type PatchOperation } from '../../kube/testing/json-patch.ts';
import { MUTATING_WEBHOOKS, SECRETS, VALIDATING_WEBHOOKS } from '../../kube/types.ts';
import type { ServingPart } from '../serving-part.ts';
import { memoryStore } from '../testing-stores.ts';
import { CERTIFICATE_SECRET } from './certificate-keeper.ts';
import { SERVING_LIFE_MS } from './certificates.ts';
import { MUTATING_ENTRIES, VALIDATING_ENTRIES } from './conditions.ts';
import { startWebhooks, type WebhookOptions } from './server.ts';
import { CONFIG, ours, podOf, workloadOf } from './testing.ts';

const OFF = { metadata: { name: 'off' }, spec: must(readNamespacePolicy({ injection: { enabled: false } })) };
const KEPT = {
  metadata: { name: 'kept' },
  spec: must(readNamespacePolicy({ identities: [{ appId: 'web', serviceAccounts: ['boss'] }] })),
};

let api: ApiServer;
const running: ServingPart[] = [];
const keptAlive = new Agent({ keepAlive: true });

beforeEach(async () => {
  api = await startApiServer();
  putConfigurations();
});

afterEach(async () => {
  for (const webhooks of running.splice(0)) await webhooks.stop();
  await api.stop();
  keptAlive.destroy();
});

function putConfigurations(): void {
  const service = { name: 'invoke-operator', namespace: CONFIG.namespace };
  const entry = (from: { readonly name: string }) => ({
    ...{ name: from.name, sideEffects: 'None', admissionReviewVersions: ['v1'] },
    clientConfig: { service },
  });
  const metadata = { name: 'invoke' };
  api.put<V1MutatingWebhookConfiguration>(MUTATING_WEBHOOKS, { metadata, webhooks: MUTATING_ENTRIES.map(entry) });
  api.put<V1ValidatingWebhookConfiguration>(VALIDATING_WEBHOOKS, { metadata, webhooks: VALIDATING_ENTRIES.map(entry) });
}

/** A change that asks for nothing. */
function touch(): void {
  const found = api.object(MUTATING_WEBHOOKS, 'invoke');
  api.put(MUTATING_WEBHOOKS, { ...found, metadata: { ...found?.metadata, labels: { touched: 'yes' } } });
}

async function start(given: Partial<WebhookOptions> = {}): Promise<ServingPart> {
  const webhooks = must(
    await startWebhooks({
      config: CONFIG,
      kube: api.kube,
      namespacePolicies: memoryStore(OFF, KEPT),
      httpEndpoints: memoryStore(),
      ensureTrustBundle: async () => ok(undefined),
      clock: systemClock,
      random: () => 0.5,
      log: silentLog,
      ...given,
    }),
  );
  running.push(webhooks);
  return webhooks;
}

async function ready(given: Partial<WebhookOptions> = {}): Promise<ServingPart> {
  const webhooks = await start(given);
  await expect.poll(() => webhooks.unready()).toBeUndefined();
  return webhooks;
}

/** Of each entry of both configurations, PEM. */
function bundles(): readonly string[] {
  const configurations = [api.object(MUTATING_WEBHOOKS, 'invoke'), api.object(VALIDATING_WEBHOOKS, 'invoke')];
  return configurations.flatMap((configuration) =>
    (configuration?.webhooks ?? []).map(({ clientConfig }) =>
      Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
    ),
  );
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** As the API server calls: it trusts the bundle of the configuration, and the Service's name. */
function post(webhooks: ServingPart, path: string, body: string, agent: Agent | false = false): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const servername = `invoke-operator.${CONFIG.namespace}.svc`;
  const [ca] = bundles();
  const options = { host: 'localhost', port: webhooks.port, path, method: 'POST', servername, ca, agent };
  const asked = request({ ...options, headers: { 'content-type': 'application/json' } }, (response) => {
    response.toArray().then((chunks) => resolve({ status: response.statusCode ?? 0, text: chunks.join('') }), reject);
  });
  asked.on('error', reject).end(body);
  return promise;
}

interface Asked {
  readonly namespace?: string;
  readonly oldObject?: object;
  readonly dryRun?: boolean;
}

interface Review {
  readonly apiVersion: string;
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly patchType?: string;
    readonly patch?: string;
    readonly status?: { readonly code: number; readonly message: string };
    readonly warnings?: readonly string[];
  };
}

async function review(
  webhooks: ServingPart,
  path: string,
  object: object,
  asked: Asked = {},
  agent: Agent | false = false,
): Promise<Review['response']> {
  const kind = { group: '', version: 'v1', kind: 'kind' in object ? object.kind : '' };
  const body = {
    ...{ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' },
    request: { uid: 'u-1', kind, namespace: 'shop', operation: 'CREATE', object, ...asked },
  };
  const answer = await post(webhooks, path, JSON.stringify(body), agent);
  expect(answer.status).toBe(200);
  const { apiVersion, response }: Review = JSON.parse(answer.text);
  expect([apiVersion, response.uid]).toEqual(['admission.k8s.io/v1', 'u-1']);
  return response;
}

function patched(object: object, { patchType, patch = '' }: Review['response']): unknown {
  expect(patchType).toBe('JSONPatch');
  const operations: PatchOperation[] = JSON.parse(Buffer.from(patch, 'base64').toString());
  return jsonPatch(object, operations);
}

describe('answers', () => {
  test('an annotated pod gets its sidecar', async () => {
    const pod = podOf({ 'app-id': 'web' });
    const response = await review(await ready(), '/mutate/pods', pod);
    expect(response.allowed).toBe(true);
    expect(patched(pod, response)).toMatchObject({
      metadata: { labels: { 'invoke.io/app-id': 'web' } },
      spec: { initContainers: [{ name: 'invoke-sidecar', image: CONFIG.sidecar.image }] },
    });
  });

  test('a pod that did not ask stays as it is, with or without maps in its metadata', async () => {
    const webhooks = await ready();
    for (const pod of [podOf({}), { metadata: {}, spec: { containers: [] } }, { spec: { containers: [] } }]) {
      expect(await review(webhooks, '/mutate/pods', pod)).toEqual({ uid: 'u-1', allowed: true });
    }
  });

  test('a refusal names Invoke, the object, the key, and what to write', async () => {
    const response = await review(await ready(), '/mutate/pods', podOf({ 'app-id': 'web', 'app-port': 'eighty' }));
    expect(response.allowed).toBe(false);
    expect(response.status?.message).toBe(
      'Invoke refuses pod "web-…" in namespace "shop": ' +
        'invoke.io/app-port: "eighty" is not a port; give a number from 1 to 65535',
    );
  });

  test.each([
    ['where injection is off', 'off', 'injection.enabled: false'],
    ['in the namespace of Invoke itself', CONFIG.namespace, 'the namespace of Invoke itself'],
    ['under an app id that is kept for others', 'kept', 'the ServiceAccount "boss"'],
  ])('%s, an annotated pod is refused, and so is its workload', async (_where, namespace, said) => {
    const webhooks = await ready();
    const pod = await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }), { namespace });
    expect(pod.status?.message).toContain(said);
    const workload = workloadOf('Deployment', undefined, ours({ 'app-id': 'web' }));
    const validated = await review(webhooks, '/validate', workload, { namespace });
    expect(validated.status?.message).toContain(said);
  });

  test('annotations of a workload are copied to its template', async () => {
    const workload = workloadOf('CronJob', ours({ 'app-id': 'web' }), undefined);
    const response = await review(await ready(), '/mutate/workloads', workload);
    const copied = ours({ 'app-id': 'web', copied: 'invoke.io/app-id' });
    expect(patched(workload, response)).toEqual(workloadOf('CronJob', ours({ 'app-id': 'web' }), copied));
  });

  test('a workload whose pods would be refused is refused itself; one that is half annotated is not', async () => {
    const webhooks = await ready();
    const validate = (values: Record<string, string>) =>
      review(webhooks, '/validate', workloadOf('Deployment', undefined, ours(values)));
    expect((await validate({ 'app-id': 'web', 'http-port': '3501' })).status?.message).toContain('are both 3501');
    expect((await validate({ 'app-prot': '80' })).status?.message).toContain('did you mean invoke.io/app-port?');
    expect((await validate({ 'app-port': '80' })).allowed).toBe(true);
  });
});

describe('the trust bundle', () => {
  test('is made sure of before an annotated pod is let in, and for no other', async () => {
    const asked: Namespace[] = [];
    const ensureTrustBundle = async (namespace: Namespace): Promise<Result<void>> => {
      asked.push(namespace);
      return ok(undefined);
    };
    const webhooks = await ready({ ensureTrustBundle });
    await review(webhooks, '/mutate/pods', podOf({}));
    await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }), { dryRun: true });
    await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'Web' }));
    expect(asked).toEqual([]);
    await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }));
    expect(asked).toEqual(['shop']);
  });

  test('that cannot be had is a warning: the pod waits for it', async () => {
    const webhooks = await ready({ ensureTrustBundle: async () => err('no anchors yet') });
    const response = await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }));
    expect(response).toMatchObject({ allowed: true, warnings: [expect.stringContaining('no anchors yet')] });
    expect(response.patch).toBeDefined();
  });

  test('is waited for no longer than three seconds', async () => {
    const clock = manualClock();
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const ensureTrustBundle = () => {
      resolve();
      return new Promise<Result<void>>(() => undefined);
    };
    const webhooks = await ready({ clock, ensureTrustBundle });
    const response = review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }));
    await asked;
    clock.advance(3000);
    expect((await response).warnings).toEqual([expect.stringContaining('longer than 3 s')]);
  });
});

describe('what goes wrong', () => {
  test('a bug is an answer that names Invoke and where to look, without a stack', async () => {
    const lines: string[] = [];
    const log = createLog({ level: 'error', format: 'text', write: (line) => lines.push(line), now: () => 0 });
    const broken = memoryStore(OFF);
    const webhooks = await ready({
      log,
      namespacePolicies: {
        ...broken,
        get() {
          throw new Error('oh no');
        },
      },
    });
    const { allowed, status } = await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }));
    expect([allowed, status?.code]).toEqual([false, 500]);
    expect(status?.message).toMatch(/^Invoke could not judge pod "web-…" in namespace "shop".* beside "u-1"/);
    expect(status?.message).not.toContain('oh no');
    expect(lines.join('')).toMatch(/uid=u-1.*oh no/s);
  });

  test.each(['namespacePolicies', 'httpEndpoints'])('a pod is not judged before %s are known', async (kind) => {
    const { promise: synced, resolve } = Promise.withResolvers<void>();
    const webhooks = await start({
      [kind]: { ...(kind === 'httpEndpoints' ? memoryStore() : memoryStore(OFF)), synced },
    });
    await expect.poll(() => webhooks.unready()).toContain('NamespacePolicies');
    const early = await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }));
    expect(early.status?.message).toContain('Invoke cannot judge pod "web-…" in namespace "shop" yet');
    resolve();
    await expect.poll(() => webhooks.unready()).toBeUndefined();
    expect((await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }))).allowed).toBe(true);
  });

  test.each([
    ['no JSON', 'x', 400],
    ['no AdmissionReview', '{}', 400],
    ['too much', JSON.stringify({ x: 'x'.repeat(4 * 2 ** 20) }), 413],
  ])('%s is told so', async (_what, body, status) => {
    const answer = await post(await ready(), '/mutate/pods', body);
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(/^Invoke's webhook/);
  });

  test('defaults that are no annotations keep it from starting', async () => {
    const config = { ...CONFIG, sidecar: { ...CONFIG.sidecar, defaults: { 'log-lever': 'info' } } };
    await expect(start({ config })).rejects.toThrow(/invoke\.io\/log-lever.*did you mean invoke\.io\/log-level/);
  });
});

describe('certificates', () => {
  test('are made once for all replicas, and every caBundle trusts them', async () => {
    await Promise.all([ready(), ready(), ready()]);
    const secret = api.object(SECRETS, CERTIFICATE_SECRET, CONFIG.namespace);
    const authority = Buffer.from(secret?.data?.['ca.crt'] ?? '', 'base64').toString();
    expect(authority).toContain('BEGIN CERTIFICATE');
    expect(bundles()).toEqual([authority, authority, authority]);
    for (const webhooks of running) {
      expect((await review(webhooks, '/mutate/pods', podOf({}))).allowed).toBe(true);
    }
  });

  test('fill the Secret that the chart made empty', async () => {
    api.put(SECRETS, { metadata: { name: CERTIFICATE_SECRET, namespace: CONFIG.namespace, labels: { a: 'b' } } });
    await ready();
    const secret = api.object(SECRETS, CERTIFICATE_SECRET, CONFIG.namespace);
    expect(secret?.metadata?.labels).toEqual({ a: 'b' });
    expect(Object.keys(secret?.data ?? {})).toContain('tls.key');
  });

  test('a caBundle that is wiped is put back, and so is a Secret that is deleted', async () => {
    const webhooks = await ready();
    await api.watching(MUTATING_WEBHOOKS);
    await api.watching(SECRETS);
    const [before] = bundles();
    const healed = api.requested({ verb: 'patch', plural: 'mutatingwebhookconfigurations' });
    putConfigurations();
    await healed;
    await expect.poll(bundles).toEqual([before, before, before]);

    api.remove(SECRETS, CERTIFICATE_SECRET, CONFIG.namespace);
    await expect.poll(() => bundles().every((bundle) => bundle !== before && bundle !== '')).toBe(true);
    expect((await review(webhooks, '/mutate/pods', podOf({}))).allowed).toBe(true);
  });

  test('are renewed while it serves, without a refused connection', async () => {
    const clock = manualClock(systemClock.now() - SERVING_LIFE_MS / 2);
    const webhooks = await ready({ clock });
    const served = () => api.object(SECRETS, CERTIFICATE_SECRET, CONFIG.namespace)?.data?.['tls.crt'];
    const before = served();
    clock.advance(SERVING_LIFE_MS / 2);
    // A look that was under way began before that; a change has it look again.
    touch();
    await expect.poll(served).not.toBe(before);
    expect((await review(webhooks, '/mutate/pods', podOf({}))).allowed).toBe(true);
  });

  test('that cannot be written keep it from being ready, with the reason, until they can', async () => {
    api.failNext(1, { status: 403, message: 'may not', reason: 'Forbidden' }, { verb: 'create', plural: 'secrets' });
    const webhooks = await start();
    await expect.poll(() => webhooks.unready()).toContain('may not');
    await expect.poll(() => webhooks.unready()).toBeUndefined();
  });

  test('trouble later on does not make it unready: what is served still holds', async () => {
    const webhooks = await ready();
    await api.watching(MUTATING_WEBHOOKS);
    const asked = api.requested({ verb: 'get', plural: 'secrets' });
    api.failNext(1, { status: 500 }, { verb: 'get', plural: 'secrets' });
    putConfigurations();
    await asked;
    expect(webhooks.unready()).toBeUndefined();
  });
});

test('answers are counted by what they said, and the end of the certificates is told', async () => {
  const webhooks = await ready();
  await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }));
  await review(webhooks, '/mutate/pods', podOf({ 'app-id': 'Web' }));
  const text = renderMetrics(webhooks.families);
  expect(text).toContain('invoke_webhook_duration_seconds_count{webhook="pods",outcome="patched"} 1');
  expect(text).toContain('invoke_webhook_duration_seconds_count{webhook="pods",outcome="refused"} 1');
  expect(text).toMatch(/invoke_webhook_certificate_expiry_timestamp_seconds\{certificate="serving"\} \d{10}/);
});

test('stopping lets an answer that is under way be given, and then ends its connection', async () => {
  const { promise: asked, resolve: askedFor } = Promise.withResolvers<void>();
  const { promise: made, resolve: make } = Promise.withResolvers<Result<void>>();
  const ensureTrustBundle = () => {
    askedFor();
    return made;
  };
  const clock = manualClock();
  const webhooks = await ready({ clock, ensureTrustBundle });
  const response = review(webhooks, '/mutate/pods', podOf({ 'app-id': 'web' }), {}, keptAlive);
  await asked;
  const stopped = webhooks.stop();
  make(ok(undefined));
  expect((await response).allowed).toBe(true);
  // No time passes on this clock: it ends by itself, and not because it was waited for long enough.
  await stopped;
  running.splice(0);
});
