// Going away: a diff of the cluster before and after holds nothing but what the install page says stays, and pods still schedule.
import { beforeAll, expect, test } from 'vitest';
import { aPod, deploy, isReady, meshed, namespace, podSpec, pods } from '../apps.ts';
import { CONTROL_PLANE, install } from '../installation.ts';
import { apply, get, helm, kubectl, run, until } from '../kubectl.ts';

const HERE = 'e2e-uninstall';
const CRDS = [
  'accesspolicies.invoke.io',
  'httpendpoints.invoke.io',
  'namespacepolicies.invoke.io',
  'resiliencies.invoke.io',
];

let before: readonly string[];

beforeAll(async () => {
  // As if it had never been here.
  await helm('uninstall', 'invoke', '-n', CONTROL_PLANE, '--wait', '--ignore-not-found');
  await kubectl('delete', 'namespace', CONTROL_PLANE, '--ignore-not-found', '--timeout=120s');
  await kubectl('delete', 'crd', ...CRDS, '--ignore-not-found', '--timeout=60s');
  await namespace(HERE);
  await deploy({ name: 'copied', namespace: HERE });
  await until('what was owned to be collected', async () =>
    (await inventory()).every((object) => !/invoke-(trust|owner)/.test(object)),
  );
  before = await inventory();
  await install();
  await deploy({ name: 'orders', namespace: HERE, annotations: meshed('orders') });
  await kubectl('annotate', 'deployment', 'copied', '-n', HERE, 'invoke.io/app-id=copied');
  await aPod(HERE, 'invoke.io/app-id=copied');
});

/** Kinds that others make and name anew all the time. */
const FLEETING =
  /^(events|events\.events\.k8s\.io|pods|endpoints|endpointslices\..*|replicasets\..*|leases\..*|componentstatuses)$/;

interface Listed {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Every object of the cluster that stays where it is, as `kind/namespace/name`. */
async function inventory(): Promise<readonly string[]> {
  const listed = await kubectl('api-resources', '--verbs=list', '-o', 'name');
  const kinds = listed.split('\n').filter((kind) => kind !== '' && !FLEETING.test(kind));
  const { items } = await get<{ items: readonly Listed[] }>(kinds.join(','), '-A', '--ignore-not-found');
  return items
    .map(({ kind, metadata }) => [kind, metadata.namespace, metadata.name].filter(Boolean).join('/'))
    .toSorted();
}

test('after helm uninstall nothing of ours is left but what the install page lists', async () => {
  await helm('uninstall', 'invoke', '-n', CONTROL_PLANE, '--wait', '--timeout', '2m');
  const stays = [
    ...CRDS.map((name) => `CustomResourceDefinition/${name}`),
    // The API server's own record of a group that has CRDs.
    'APIService/v1alpha1.invoke.io',
    `Namespace/${CONTROL_PLANE}`,
    `Secret/${CONTROL_PLANE}/invoke-ca`,
    // What Kubernetes puts into every namespace.
    `ConfigMap/${CONTROL_PLANE}/kube-root-ca.crt`,
    `ServiceAccount/${CONTROL_PLANE}/default`,
    // The suite's own.
    `Deployment/${HERE}/orders`,
  ];
  const added = async () => (await inventory()).filter((object) => !before.includes(object) && !stays.includes(object));
  // The garbage collector takes what the operator made, in its own time.
  await until('what is owned to be collected', async () => (await added()).length === 0).catch(() => undefined);
  expect(await added()).toEqual([]);
  const now = await inventory();
  expect(before.filter((object) => !now.includes(object))).toEqual([]);
  await until(
    'our pods to have ended',
    async () => (await pods(CONTROL_PLANE, 'app.kubernetes.io/part-of=invoke')).length === 0,
  );
});

test('invokectl lists the copied annotations and the sidecars that are left', async () => {
  const invokectl = new URL('../../../bin/invokectl', import.meta.url).pathname;
  const { stdout } = await run(invokectl, ['uninstall', '--dry-run']);
  expect(stdout).toMatch(new RegExp(`${HERE}/deployment/copied: invoke.io/app-id`));
  expect(stdout).toMatch(new RegExp(`${HERE}/pod/orders-`));
  // The command that it gives does what it says.
  const [, patch = ''] = /--type=json -p '(.*)'/.exec(stdout) ?? [];
  await kubectl('patch', '-n', HERE, 'deployment/copied', '--type=json', '-p', patch);
  const after = await run(invokectl, ['uninstall', '--dry-run']);
  expect(after.stdout).not.toContain('deployment/copied');
});

test('pods still schedule, annotated ones too', async () => {
  const metadata = { name: 'after', namespace: HERE, annotations: meshed('after') };
  await apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec({}) });
  await kubectl('wait', '--for=condition=ready', 'pod/after', '-n', HERE, '--timeout=90s');
  await kubectl('delete', 'pod', '-l', 'app=orders', '-n', HERE, '--wait=false');
  await until('the replacement to be ready', async () =>
    (await pods(HERE, 'app=orders')).some((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod)),
  );
});

test('installed again, the authority is the same as before', async () => {
  const authority = () => kubectl('get', 'secret', 'invoke-ca', '-n', CONTROL_PLANE, '-o', 'jsonpath={.data}');
  const kept = await authority();
  await install();
  expect(await authority()).toBe(kept);
  await kubectl('rollout', 'restart', 'deployment/orders', '-n', HERE);
  const pod = await aPod(HERE, 'invoke.io/app-id=orders');
  expect(pod.spec.initContainers?.[0]?.name).toBe('invoke-sidecar');
});

test('ca.keep=false takes the authority away, too', async () => {
  await install('ca.keep=false');
  await helm('uninstall', 'invoke', '-n', CONTROL_PLANE, '--wait', '--timeout', '2m');
  expect(await kubectl('get', 'secret', 'invoke-ca', '-n', CONTROL_PLANE, '--ignore-not-found', '-o', 'name')).toBe('');
});
