// Going away: pods still schedule, and what stays is what the install page says.
import { beforeAll, expect, test } from 'vitest';
import { aPod, deploy, isReady, meshed, namespace, podSpec, pods } from '../apps.ts';
import { CONTROL_PLANE, ensureInstalled, install } from '../installation.ts';
import { apply, get, helm, kubectl, run, until } from '../kubectl.ts';

const HERE = 'e2e-uninstall';

/** Every object of the cluster that bears our name or our mark, as `kind/namespace/name`. */
async function ours(): Promise<readonly string[]> {
  const listed = await kubectl('api-resources', '--verbs=list', '-o', 'name');
  const kinds = listed
    .split('\n')
    .filter((kind) => kind !== '' && !/^(events|componentstatuses|pods\.metrics|endpoints$)/.test(kind));
  const { items } = await get<{ items: readonly Listed[] }>(kinds.join(','), '-A', '--ignore-not-found');
  return items
    .filter(({ metadata }) => /invoke/.test(`${metadata.name} ${JSON.stringify(metadata.labels ?? {})}`))
    .filter(
      ({ metadata }) =>
        !(metadata.namespace ?? metadata.name).startsWith('e2e-') || /-invoke$|^invoke-/.test(metadata.name),
    )
    .map(({ kind, metadata }) => [kind, metadata.namespace, metadata.name].filter(Boolean).join('/'))
    .toSorted();
}

interface Listed {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await deploy({ name: 'orders', namespace: HERE, annotations: meshed('orders') });
});

test('after helm uninstall nothing of ours is left but what the install page lists', async () => {
  await helm('uninstall', 'invoke', '-n', CONTROL_PLANE, '--wait', '--timeout', '2m');
  const allowed = [
    `CustomResourceDefinition/accesspolicies.invoke.io`,
    `CustomResourceDefinition/namespacepolicies.invoke.io`,
    `CustomResourceDefinition/resiliencies.invoke.io`,
    `Namespace/${CONTROL_PLANE}`,
    `Secret/${CONTROL_PLANE}/invoke-ca`,
    // Kubernetes' own, in every namespace that is there.
    `ConfigMap/${CONTROL_PLANE}/kube-root-ca.crt`,
    `ServiceAccount/${CONTROL_PLANE}/default`,
  ];
  const left = await until('what is owned to be collected', async () => {
    const seen = (await ours()).filter((object) => !allowed.includes(object));
    return seen.every((object) => /^(NamespacePolicy|AccessPolicy|Resiliency)\//.test(object)) ? seen : undefined;
  }).catch(ours);
  // The user's own resources of our kinds stay with their CRDs.
  expect(
    left.filter((object) => !/^(NamespacePolicy|AccessPolicy|Resiliency)\//.test(object) && !allowed.includes(object)),
  ).toEqual([]);
});

test('pods still schedule, annotated ones too', async () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'after', namespace: HERE, annotations: meshed('after') },
    spec: podSpec({}),
  };
  await apply(pod);
  await kubectl('wait', '--for=condition=ready', 'pod/after', '-n', HERE, '--timeout=90s');
  await kubectl('delete', 'pod', '-l', 'app=orders', '-n', HERE, '--wait=false');
  await until('the replacement to be ready', async () =>
    (await pods(HERE, 'app=orders')).some((one) => one.metadata.deletionTimestamp === undefined && isReady(one)),
  );
});

test('installed again, the authority is the same as before', async () => {
  const before = await kubectl('get', 'secret', 'invoke-ca', '-n', CONTROL_PLANE, '-o', 'jsonpath={.data}');
  await install();
  expect(await kubectl('get', 'secret', 'invoke-ca', '-n', CONTROL_PLANE, '-o', 'jsonpath={.data}')).toBe(before);
  await kubectl('rollout', 'restart', 'deployment/orders', '-n', HERE);
  const pod = await aPod(HERE, 'invoke.io/app-id=orders');
  expect(pod.spec.initContainers?.[0]?.name).toBe('invoke-sidecar');
});

test('ca.keep=false takes the authority away, too', async () => {
  await install('ca.keep=false');
  await helm('uninstall', 'invoke', '-n', CONTROL_PLANE, '--wait', '--timeout', '2m');
  const { stdout } = await run('kubectl', [
    'get',
    'secret',
    'invoke-ca',
    '-n',
    CONTROL_PLANE,
    '--ignore-not-found',
    '-o',
    'name',
  ]);
  expect(stdout).toBe('');
});
