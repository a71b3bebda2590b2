// All replicas of the operator are down: strangers notice nothing, and what runs goes on.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aPod, callFrom, deploy, echoed, meshed, namespace, type Pod, podSpec, pods, rolledOut } from '../apps.ts';
import { CONTROL_PLANE, ensureInstalled } from '../installation.ts';
import { apply, applyRefused, get, kubectl, type Manifest, run, until } from '../kubectl.ts';

const HERE = 'e2e-outage';

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await deploy({ name: 'web', namespace: HERE, annotations: meshed('web') });
  await deploy({ name: 'orders', namespace: HERE, annotations: meshed('orders') });
  await deploy({ name: 'doomed', namespace: HERE, annotations: meshed('doomed') });
  const { metadata } = await aPod(HERE, 'invoke.io/app-id=web');
  await echoed(HERE, metadata.name, 'orders');
  await kubectl('scale', 'deployment', 'invoke-operator', '-n', CONTROL_PLANE, '--replicas=0');
  await until('the operator to be gone', async () => (await operators()).length === 0);
});

afterAll(restored);

function operators(): Promise<readonly Pod[]> {
  return pods(CONTROL_PLANE, 'app.kubernetes.io/name=invoke-operator');
}

async function restored(): Promise<void> {
  await kubectl('scale', 'deployment', 'invoke-operator', '-n', CONTROL_PLANE, '--replicas=1');
  await rolledOut(CONTROL_PLANE, 'invoke-operator');
}

function pod(name: string, annotations?: Readonly<Record<string, string>>): Manifest {
  const metadata = { name, namespace: HERE, ...(annotations ? { annotations } : {}) };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec({}) };
}

test('pods without an annotation are created as ever', async () => {
  await deploy({ name: 'stranger', namespace: HERE });
  await apply(pod('bare'));
  await kubectl('wait', '--for=condition=ready', 'pod/bare', '-n', HERE, '--timeout=90s');
});

test('unrelated changes to meshed workloads go through', async () => {
  await kubectl('scale', 'deployment', 'orders', '-n', HERE, '--replicas=1');
  await kubectl('annotate', 'deployment', 'orders', '-n', HERE, 'example.com/x=y', '--overwrite');
  await kubectl('label', 'pod', '-l', 'invoke.io/app-id=orders', '-n', HERE, 'example.com/x=y', '--overwrite');
});

test('an annotated pod is refused, with a message that names Invoke', async () => {
  expect(await applyRefused(pod('meshed', meshed('meshed')))).toMatch(/invoke/i);
});

test('running apps keep calling each other, also after a sidecar container was killed', async () => {
  const web = await aPod(HERE, 'invoke.io/app-id=web');
  await echoed(HERE, web.metadata.name, 'orders');
  for (const app of ['orders', 'web']) {
    const { metadata } = await aPod(HERE, `invoke.io/app-id=${app}`);
    const before = await restarts(metadata.name);
    await run('kubectl', [
      'exec',
      metadata.name,
      '-n',
      HERE,
      '-c',
      'invoke-sidecar',
      '--',
      'node',
      '-e',
      'process.kill(1)',
    ]);
    await until(`the sidecar of ${app} to be back`, async () => {
      const now = await restarts(metadata.name);
      return now.count > before.count && now.isReady;
    });
  }
  await until('web to reach orders', async () => {
    const { status } = await callFrom(HERE, web.metadata.name, '/v1.0/invoke/orders/method/x');
    return status === 200;
  });
});

interface ContainerStatus {
  readonly restartCount: number;
  readonly ready: boolean;
}

async function restarts(name: string): Promise<{ readonly count: number; readonly isReady: boolean }> {
  type Seen = { readonly status: { readonly initContainerStatuses: readonly ContainerStatus[] } };
  const { status } = await get<Seen>('pod', name, '-n', HERE);
  const [sidecar] = status.initContainerStatuses;
  return { count: sidecar?.restartCount ?? 0, isReady: sidecar?.ready ?? false };
}

test('a meshed Deployment can be deleted in the foreground', async () => {
  await kubectl('delete', 'deployment', 'doomed', '-n', HERE, '--cascade=foreground', '--timeout=90s');
});

test('a pod that is created after the operator is back starts at once', async () => {
  await restored();
  await deploy({ name: 'late', namespace: HERE, annotations: meshed('late') });
  const { metadata } = await aPod(HERE, 'invoke.io/app-id=late');
  await echoed(HERE, metadata.name, 'orders');
});

test('a wiped caBundle heals in seconds', async () => {
  const path = '/webhooks/0/clientConfig/caBundle';
  const names = await kubectl('get', 'mutatingwebhookconfigurations', '-o', 'name');
  const name = names.split('\n').find((line) => line.includes('invoke')) ?? '';
  const bundle = () => kubectl('get', name, '-o', 'jsonpath={.webhooks[0].clientConfig.caBundle}');
  const before = await bundle();
  expect(before).not.toBe('');
  await kubectl('patch', name, '--type=json', '-p', JSON.stringify([{ op: 'remove', path }]));
  expect(await until('the bundle to be back', async () => (await bundle()) || undefined, 20_000)).toBe(before);
});

test('trust bundles are put back where somebody edits or deletes them', async () => {
  const bundle = () => kubectl('get', 'configmap', 'invoke-trust-bundle', '-n', HERE, '-o', 'jsonpath={.data}');
  const before = await bundle();
  await kubectl('delete', 'configmap', 'invoke-trust-bundle', '-n', HERE);
  await until('the bundle to be back', async () => (await bundle()) === before);
});
