// The way round a sidecar: NetworkPolicies where direct traffic is denied, and probes of apps that listen on loopback alone.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aPod, deploy, deployment, echoed, isReady, meshed, namespace, podSpec, pods } from '../apps.ts';
import { CONTROL_PLANE, ensureInstalled } from '../installation.ts';
import { apply, get, kubectl, type Manifest, refused, run, until } from '../kubectl.ts';

/** Whose apps are guarded, and from where they are called. */
const HERE = 'e2e-way-round';
const OUTSIDE = 'e2e-way-round-outside';
const INVOKECTL = join(import.meta.dirname, '../../../bin/invokectl');

let caller: string;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await namespace(OUTSIDE);
  await deploy({ name: 'caller', namespace: OUTSIDE, annotations: meshed('caller') });
  caller = (await aPod(OUTSIDE, 'invoke.io/app-id=caller')).metadata.name;
});

afterAll(() => kubectl('delete', 'namespacepolicy', HERE, '--ignore-not-found'));

const says = (directTraffic: 'allow' | 'deny'): Manifest => ({
  ...{ apiVersion: 'invoke.io/v1alpha1', kind: 'NamespacePolicy', metadata: { name: HERE } },
  spec: { directTraffic },
});

describe('an app that listens on loopback alone', () => {
  const REWRITTEN = { 'rewrite-probes': 'true' };

  test('is probed by its sidecar, in each way, and is ready', async () => {
    const probes = {
      startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 60 },
      readinessProbe: { httpGet: { path: '/ready', port: 'web' }, periodSeconds: 1 },
      livenessProbe: { httpGet: { path: '/alive', port: 8080 }, periodSeconds: 1, failureThreshold: 3 },
    };
    const container = { ports: [{ name: 'web', containerPort: 8080 }], ...probes };
    await deploy({ name: 'probed', namespace: HERE, annotations: meshed('probed', REWRITTEN), container });
    const { metadata } = await aPod(HERE, 'invoke.io/app-id=probed');
    const { restartCount } = await appStatus(metadata.name);
    expect(restartCount).toBe(0);
  });

  test('is not ready while its probe fails, and the log of the sidecar says why', async () => {
    const container = { readinessProbe: { httpGet: { path: '/ready?status=500', port: 8080 }, periodSeconds: 1 } };
    await apply(deployment({ name: 'ill', namespace: HERE, annotations: meshed('ill', REWRITTEN), container }));
    const name = await until('the pod to run', async () => {
      const [pod] = await pods(HERE, 'invoke.io/app-id=ill');
      return pod?.status.phase === 'Running' && pod.metadata.name;
    });
    await until('the log to say why', async () => {
      const log = await kubectl('logs', name, '-n', HERE, '-c', 'invoke-sidecar');
      const isSaid = log.includes('/app-probes/app/readiness') && log.includes('was answered with 500');
      if (!isSaid) throw new Error(`it says ${log}`);
      return true;
    });
    expect(isReady(await get('pod', name, '-n', HERE))).toBe(false);
  });

  async function appStatus(name: string) {
    const pod = await get<{ status: { containerStatuses: { name: string; restartCount: number }[] } }>(
      ...['pod', name, '-n', HERE],
    );
    const [status] = pod.status.containerStatuses;
    if (status === undefined) throw new Error(`${name} has no containers`);
    return status;
  }
});

describe('where direct traffic is denied', () => {
  interface NetworkPolicy {
    readonly metadata: { readonly uid: string };
    readonly spec: { readonly ingress: readonly { readonly ports: readonly { readonly port: number }[] }[] };
  }
  const networkPolicy = () => get<NetworkPolicy>('networkpolicy', 'orders-invoke', '-n', HERE);
  const admitted = async () => (await networkPolicy()).spec.ingress.map(({ ports }) => ports.map(({ port }) => port));
  let address: string;

  beforeAll(async () => {
    const container = { ports: [{ containerPort: 8080 }] };
    await deploy({
      name: 'orders',
      namespace: HERE,
      annotations: meshed('orders'),
      env: { APP_HOST: '::' },
      container,
    });
    address = (await aPod(HERE, 'invoke.io/app-id=orders')).status.podIP ?? '';
    await stranger('stranger', OUTSIDE);
  });

  test('before that, an app that listens on its pod’s address is called past its sidecar, and invokectl finds it', async () => {
    expect(await dialled(address)).toBe(true);
    expect((await check()).some(({ problem, about }) => problem === 'way-round' && about === 'app orders')).toBe(true);
  });

  test('each app has a NetworkPolicy for its sidecar, which is put right, and calls through the sidecars go on', async () => {
    await apply(says('deny'));
    await until('the NetworkPolicy', async () => (await admitted()).length > 0);
    expect(await admitted()).toEqual([[3501, 9090, 50002]]);
    await echoed(OUTSIDE, caller, `orders.${HERE}`);
    const open = JSON.stringify({ spec: { ingress: [{}] } });
    await kubectl('patch', 'networkpolicy', 'orders-invoke', '-n', HERE, '--type=merge', '-p', open);
    await until('the edit to be reverted', async () => (await admitted())[0]?.length === 3);
    const { uid } = (await networkPolicy()).metadata;
    await kubectl('delete', 'networkpolicy', 'orders-invoke', '-n', HERE);
    await until('it to be made anew', async () => (await networkPolicy()).metadata.uid !== uid);
    await until('the policy to be in effect', async () => {
      const jsonpath = 'jsonpath={.status.conditions[?(@.type=="Programmed")].status}';
      return (await kubectl('get', 'namespacepolicy', HERE, '-o', jsonpath)) === 'True';
    });
    expect((await check()).filter(({ problem }) => problem === 'way-round')).toEqual([]);
  });

  test('nobody gets past the sidecar, if this cluster enforces NetworkPolicies at all', async ({ skip }) => {
    if (!(await isEnforced())) skip('the network plug-in of this cluster does not enforce NetworkPolicies');
    await until('the way to be closed', async () => !(await dialled(address)));
    await echoed(OUTSIDE, caller, `orders.${HERE}`);
  });

  test('the NetworkPolicies go when the field goes back', async () => {
    await apply(says('allow'));
    await until('it to be gone', async () => {
      const { status } = await run('kubectl', ['get', 'networkpolicy', 'orders-invoke', '-n', HERE]);
      return status !== 0;
    });
    expect(await dialled(address)).toBe(true);
  });
});

test("the operator's account can make no other NetworkPolicy", async () => {
  const as = ['--as', `system:serviceaccount:${CONTROL_PLANE}:invoke-operator`];
  const ours = (name: string, matchLabels: object, policyTypes: readonly string[]) => ({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    metadata: { name, namespace: HERE, labels: { 'app.kubernetes.io/managed-by': 'invoke-operator' } },
    spec: { podSelector: { matchLabels }, policyTypes },
  });
  const create = ['create', '--dry-run=server', '-f', '-', ...as];
  const label = { 'invoke.io/app-id': 'x' };
  for (const other of [
    ours('x', label, ['Ingress']),
    ours('x-invoke', {}, ['Ingress']),
    ours('x-invoke', { 'invoke.io/app-id': 'y' }, ['Ingress']),
    ours('x-invoke', label, ['Ingress', 'Egress']),
  ])
    expect(await refused(create, JSON.stringify(other))).toMatch(/Invoke: the operator may/);
  const { status, stderr } = await run('kubectl', create, JSON.stringify(ours('x-invoke', label, ['Ingress'])));
  expect([status, stderr]).toEqual([0, '']);
});

/** A pod without a sidecar, which the suites' app keeps alive; its app port is open to all. */
async function stranger(name: string, where: string): Promise<string> {
  const spec = podSpec({ env: { APP_HOST: '::' } });
  await apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: where, labels: { app: name } }, spec });
  return (await aPod(where, `app=${name}`)).status.podIP ?? '';
}

/** Whether the stranger reaches the app port of a pod. */
async function dialled(to: string): Promise<boolean> {
  const host = to.includes(':') ? `[${to}]` : to;
  const program = `fetch('http://${host}:8080/', { signal: AbortSignal.timeout(3000) }).then(() => console.log('yes'), () => console.log('no'))`;
  return (await kubectl('exec', 'stranger', '-n', OUTSIDE, '--', 'node', '-e', program)).trim() === 'yes';
}

/** Tried on a pod that nobody but this test knows. */
async function isEnforced(): Promise<boolean> {
  const canary = await stranger('canary', OUTSIDE);
  await apply({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'canary', namespace: OUTSIDE } },
    spec: { podSelector: { matchLabels: { app: 'canary' } }, policyTypes: ['Ingress'] },
  });
  const closed = until('the canary to be out of reach', async () => !(await dialled(canary)), 20_000);
  return closed.catch(() => false);
}

/** What `invokectl check` finds in the namespace. */
async function check(): Promise<readonly { readonly problem: string; readonly about: string }[]> {
  const { stdout, stderr } = await run(INVOKECTL, ['check', '-n', HERE, '-o', 'json']);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout).findings;
}
