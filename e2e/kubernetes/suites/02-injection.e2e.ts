// What the webhooks do to pods, and what they leave alone.
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type AppOptions,
  aPod,
  appContainer,
  deploy,
  deployment,
  echoed,
  meshed,
  namespace,
  type Pod,
  podSpec,
  rolledOut,
} from '../apps.ts';
import { ensureInstalled } from '../installation.ts';
import { apply, applyRefused, get, kubectl, listOf, type Manifest, refused, run, until } from '../kubectl.ts';

const HERE = 'e2e-injection';

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await deploy({ name: 'callee', namespace: HERE, annotations: meshed('callee') });
});

function bare(metadata: Manifest['metadata'], options: Partial<AppOptions> = {}): Manifest {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: HERE, ...metadata }, spec: podSpec(options) };
}

/** The pod as admission would store it, without storing it. */
async function admitted(pod: Manifest): Promise<Pod> {
  const { status, stdout, stderr } = await run(
    'kubectl',
    ['create', '--dry-run=server', '-o', 'json', '-f', '-'],
    JSON.stringify(pod),
  );
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

describe('opting in', () => {
  test('annotating a deployment meshes it, and removing the annotation un-meshes it', async () => {
    await deploy({ name: 'plain', namespace: HERE });
    await kubectl('annotate', 'deployment', 'plain', '-n', HERE, 'invoke.io/app-id=plain', 'invoke.io/app-port=8080');
    await rolledOut(HERE, 'plain');
    const pod = await aPod(HERE, 'invoke.io/app-id=plain');
    expect((await echoed(HERE, pod.metadata.name, 'callee')).headers['dapr-caller-app-id']).toBe('plain');

    await kubectl('annotate', 'deployment', 'plain', '-n', HERE, 'invoke.io/app-id-', 'invoke.io/app-port-');
    await rolledOut(HERE, 'plain');
    const template = await get<{ spec: { template: { metadata: { annotations?: object } } } }>(
      'deployment',
      'plain',
      '-n',
      HERE,
    );
    const left = Object.keys(template.spec.template.metadata.annotations ?? {}).filter((key) =>
      key.startsWith('invoke.io/'),
    );
    expect(left).toEqual([]);
    const after = await aPod(HERE, 'app=plain');
    expect(after.spec.initContainers ?? []).toEqual([]);
  });

  test("a workload's other annotations and its scale are none of our business", async () => {
    await kubectl('scale', 'deployment', 'callee', '-n', HERE, '--replicas=1');
    await kubectl('annotate', 'deployment', 'callee', '-n', HERE, 'example.com/note=kept', '--overwrite');
    const { metadata } = await get<{ metadata: { annotations: Record<string, string> } }>(
      'deployment',
      'callee',
      '-n',
      HERE,
    );
    expect(metadata.annotations['example.com/note']).toBe('kept');
  });
});

describe('what did not opt in', () => {
  test('is stored byte for byte as without Invoke', async () => {
    const pod = bare({ name: 'unmeshed', annotations: { 'example.com/x': 'y' } });
    const here = await admitted(pod);
    const elsewhere = await admitted({ ...pod, metadata: { ...pod.metadata, namespace: 'kube-system' } });
    // kube-system never reaches a webhook of ours: what differs is what names the namespace.
    const neutral = (seen: Pod) => JSON.stringify(seen.spec).replaceAll(/kube-api-access-\w+/g, 'token');
    expect(neutral(here)).toBe(neutral(elsewhere));
    expect(here.metadata.labels).toBeUndefined();
  });

  test('a pod with no annotations and no labels is admitted', async () => {
    const pod = bare({ name: 'mapless' });
    expect((await admitted(pod)).metadata.annotations).toBeUndefined();
  });
});

describe('the injected pod', () => {
  test('works with generateName', async () => {
    const pod = await admitted(bare({ generateName: 'many-', annotations: meshed('many') }));
    expect(pod.spec.initContainers?.[0]?.name).toBe('invoke-sidecar');
    expect(pod.metadata.labels?.['invoke.io/app-id']).toBe('many');
  });

  test("stands before the user's init containers and leaves them as they are", async () => {
    const own = { ...appContainer({}), name: 'own-init', command: ['true'] };
    const pod = await admitted(
      bare({ name: 'inits', annotations: meshed('inits') }, { pod: { initContainers: [own] } }),
    );
    expect(pod.spec.initContainers?.map(({ name }) => name)).toEqual(['invoke-sidecar', 'own-init']);
  });

  test('takes an ephemeral container', async () => {
    const pod = await aPod(HERE, 'invoke.io/app-id=callee');
    const image = '--image=docker.io/library/node:24-bookworm-slim';
    await kubectl(
      'debug',
      pod.metadata.name,
      '-n',
      HERE,
      image,
      '--image-pull-policy=IfNotPresent',
      '--',
      'node',
      '-e',
      '0',
    );
    const { spec } = await get<{ spec: { ephemeralContainers: unknown[] } }>('pod', pod.metadata.name, '-n', HERE);
    expect(spec.ephemeralContainers).toHaveLength(1);
  });

  test('gives the sidecar no API token, and the app its own', async () => {
    const pod = await aPod(HERE, 'invoke.io/app-id=callee');
    const list = ['exec', pod.metadata.name, '-n', HERE, '-c'];
    const node = [
      '--',
      'node',
      '-e',
      "console.log(require('fs').readdirSync('/var/run/secrets/kubernetes.io/serviceaccount').length)",
    ];
    expect((await kubectl(...list, 'invoke-sidecar', ...node)).trim()).toBe('0');
    expect(Number(await kubectl(...list, 'app', ...node))).toBeGreaterThan(0);
  });

  test('runs in a namespace that enforces the restricted standard', async () => {
    const where = `${HERE}-restricted`;
    await namespace(where, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    await deploy({ name: 'strict', namespace: where, annotations: meshed('strict') });
    const pod = await aPod(where, 'invoke.io/app-id=strict');
    expect((await echoed(where, pod.metadata.name, `callee.${HERE}`)).headers['dapr-caller-app-id']).toBe('strict');
  });
});

describe('quotas and limits', () => {
  const where = `${HERE}-quota`;

  beforeAll(async () => {
    await namespace(where);
    await apply(
      {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'all', namespace: where },
        spec: { hard: { 'limits.cpu': '4', 'limits.memory': '2Gi', 'requests.cpu': '2', 'requests.memory': '2Gi' } },
      },
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'most', namespace: where },
        spec: { limits: [{ type: 'Container', max: { cpu: '1', memory: '512Mi' } }] },
      },
    );
  });

  const own = {
    container: { resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { cpu: '500m', memory: '256Mi' } } },
  };
  const ofTheNamespace = { requests: { cpu: '20m', memory: '48Mi' }, limits: { cpu: '300m', memory: '128Mi' } };

  test('are met by the annotations of a pod', async () => {
    const annotations = meshed('by-annotation', {
      ...{ 'sidecar-cpu-request': '20m', 'sidecar-cpu-limit': '400m' },
      ...{ 'sidecar-memory-request': '48Mi', 'sidecar-memory-limit': '128Mi' },
    });
    await deploy({ name: 'by-annotation', namespace: where, annotations, ...own });
    const pod = await aPod(where, 'invoke.io/app-id=by-annotation');
    expect(pod.spec.initContainers?.[0]?.resources?.limits).toEqual({ cpu: '400m', memory: '128Mi' });
  });

  test("are met by the namespace's NamespacePolicy", async () => {
    await apply({
      apiVersion: 'invoke.io/v1alpha1',
      kind: 'NamespacePolicy',
      metadata: { name: where },
      spec: { sidecar: { resources: ofTheNamespace } },
    });
    const injected = () =>
      admitted({
        ...bare({ name: 'by-policy', annotations: meshed('by-policy') }, own),
        metadata: { name: 'by-policy', namespace: where, annotations: meshed('by-policy') },
      });
    const limits = await until('the policy to be known', async () => {
      const pod = await injected().catch(() => undefined);
      const seen = pod?.spec.initContainers?.[0]?.resources?.limits;
      return seen?.cpu === '300m' ? seen : undefined;
    });
    expect(limits).toEqual({ cpu: '300m', memory: '128Mi' });
  });
});

describe('refusals', () => {
  test.each([
    ['app-port', 'eighty', /invoke\.io\/app-port/],
    ['log-level', 'loud', /invoke\.io\/log-level/],
    ['max-body-size', '-3', /invoke\.io\/max-body-size/],
    ['app-prot', '80', /invoke\.io\/app-prot.*invoke\.io\/app-port/s],
    ['sidecar-image', 'evil:latest', /invoke\.io\/sidecar-image.*NamespacePolicy/s],
  ])('the annotation %s: %s is refused, and the message names it', async (key, value, message) => {
    const annotations = { ...meshed('wrong'), [`invoke.io/${key}`]: value };
    expect(await applyRefused(bare({ name: 'wrong', annotations }))).toMatch(message);
    expect(await applyRefused(deployment({ name: 'wrong', namespace: HERE, annotations }))).toMatch(message);
  });

  test.each(['Web', '1st', 'under_score', 'a'.repeat(57)])('the app id %s is refused', async (appId) => {
    expect(await applyRefused(bare({ name: 'wrong', annotations: meshed(appId) }))).toMatch(/invoke\.io\/app-id/);
  });

  test('a declared port that is one of ours is refused, naming the annotation that moves ours', async () => {
    const options = { container: { ports: [{ containerPort: 50002 }] } };
    const annotations = meshed('clash');
    expect(await applyRefused(bare({ name: 'clash', annotations }, options))).toMatch(
      /50002.*invoke\.io\/[a-z-]*port/s,
    );
    const moved = meshed('clash', { 'internal-grpc-port': '50012' });
    expect((await admitted(bare({ name: 'clash', annotations: moved }, options))).spec.initContainers).toHaveLength(1);
  });

  test('an annotated pod is refused, not run bare, where injection is off', async () => {
    const where = `${HERE}-off`;
    await namespace(where);
    const off = { spec: { injection: { enabled: false } } };
    await apply({ apiVersion: 'invoke.io/v1alpha1', kind: 'NamespacePolicy', metadata: { name: where }, ...off });
    const pod = { ...bare({ name: 'off' }), metadata: { name: 'off', namespace: where, annotations: meshed('off') } };
    const message = await until('the policy to be known', async () => {
      const { status, stderr } = await run('kubectl', ['create', '--dry-run=server', '-f', '-'], JSON.stringify(pod));
      return status === 0 ? undefined : stderr;
    });
    expect(message).toMatch(/NamespacePolicy/);
  });
});

describe('a pod on the host network', () => {
  const pod = { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' };
  const ports = {
    'http-port': '13500',
    'grpc-port': '15001',
    'public-port': '13501',
    'internal-grpc-port': '15002',
    'metrics-port': '19090',
  };
  const env = { APP_PORT: '18080', CONTROL_PORT: '9000' };

  test('needs an app token', async () => {
    const annotations = { ...meshed('host', ports), 'invoke.io/app-port': '18080' };
    expect(await applyRefused(bare({ name: 'host', annotations }, { pod, env }))).toMatch(
      /invoke\.io\/app(i)?-token-secret/,
    );
  });

  test('works with one, and with its ports moved', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'host-token', namespace: HERE },
      stringData: { token: 'quite-secret' },
    });
    const tokens = { 'app-token-secret': 'host-token', 'api-token-secret': 'host-token' };
    const annotations = { ...meshed('host', { ...ports, ...tokens }), 'invoke.io/app-port': '18080' };
    await deploy({ name: 'host', namespace: HERE, annotations, pod, env });
    const host = await aPod(HERE, 'invoke.io/app-id=host');
    expect((await echoed(HERE, host.metadata.name, 'callee')).headers['dapr-caller-app-id']).toBe('host');
    const callee = await aPod(HERE, 'invoke.io/app-id=callee');
    expect((await echoed(HERE, callee.metadata.name, 'host')).headers['dapr-api-token']).toBe('quite-secret');
    await kubectl('delete', 'deployment', 'host', '-n', HERE, '--cascade=foreground', '--timeout=60s');
  });
});

describe('who may change what', () => {
  const editor = ['--as', 'editor', '--as-group', 'system:authenticated'];

  beforeAll(async () => {
    await kubectl(
      'create',
      'rolebinding',
      'editor',
      '-n',
      HERE,
      '--clusterrole=edit',
      '--user=editor',
      '--dry-run=client',
      '-o',
      'json',
    ).then((binding) => apply(JSON.parse(binding)));
  });

  test("an editor cannot change a running pod's app id", async () => {
    const { metadata } = await aPod(HERE, 'invoke.io/app-id=callee');
    for (const change of [
      ['annotate', 'pod', metadata.name, 'invoke.io/app-id=other', '--overwrite'],
      ['annotate', 'pod', metadata.name, 'invoke.io/app-id-'],
      ['label', 'pod', metadata.name, 'invoke.io/app-id=other', '--overwrite'],
      ['label', 'pod', metadata.name, 'invoke.io/app-id-'],
    ]) {
      expect(await refused([...change, '-n', HERE, ...editor])).toMatch(/Invoke: .*invoke\.io\/.* cannot be changed/);
    }
  });

  test("an editor cannot join another app's Service by its label", async () => {
    const pod = bare({ name: 'joiner', labels: { 'invoke.io/app-id': 'callee' } });
    expect(await refused(['create', '-f', '-', ...editor], listOf([pod]))).toMatch(/invoke\.io\/app-id/);
    await apply(bare({ name: 'later-joiner' }));
    expect(await refused(['label', 'pod', 'later-joiner', 'invoke.io/app-id=callee', '-n', HERE, ...editor])).toMatch(
      /invoke\.io\/app-id/,
    );
    await kubectl('delete', 'pod', 'later-joiner', '-n', HERE, '--wait=false');
  });
});
