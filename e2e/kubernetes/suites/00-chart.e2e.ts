// What the chart renders, without installing it: what one node cannot show (zones, spread), and what nothing here would use
// (NetworkPolicy, monitors).
import { loadAll } from 'js-yaml';
import { beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { CHART, CONTROL_PLANE } from '../installation.ts';
import { helm, run } from '../kubectl.ts';

const rule = z.looseObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
});
const container = z.looseObject({ name: z.string(), image: z.string(), securityContext: z.unknown() });
const podTemplate = z.looseObject({
  metadata: z.looseObject({}),
  spec: z.looseObject({
    containers: z.array(container),
    securityContext: z.looseObject({}),
    topologySpreadConstraints: z
      .array(z.looseObject({ topologyKey: z.string(), whenUnsatisfiable: z.string() }))
      .optional(),
    imagePullSecrets: z.array(z.unknown()).optional(),
  }),
});
const rendered = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  spec: z
    .looseObject({ replicas: z.number().optional(), template: podTemplate.optional(), ingress: z.unknown().optional() })
    .optional(),
  rules: z.array(rule).optional(),
  webhooks: z
    .array(
      z.looseObject({ failurePolicy: z.string(), namespaceSelector: z.unknown(), clientConfig: z.looseObject({}) }),
    )
    .optional(),
  data: z.unknown().optional(),
});
type Rendered = z.output<typeof rendered>;

async function template(...values: readonly string[]): Promise<string> {
  const sets = values.flatMap((value) => ['--set', value]);
  return helm('template', 'invoke', CHART, '-n', CONTROL_PLANE, '--kube-version', '1.30.0', ...sets);
}

async function render(...values: readonly string[]): Promise<readonly Rendered[]> {
  return loadAll(await template(...values)).flatMap((object) => (object ? [rendered.parse(object)] : []));
}

function one(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  expect(found, `${kind}/${name}`).toHaveLength(1);
  return rendered.parse(found[0]);
}

const PARTS = ['invoke-sentry', 'invoke-operator'] as const;
let plain: readonly Rendered[];
let full: readonly Rendered[];

beforeAll(async () => {
  plain = await render();
  full = await render(
    ...['ha=true', 'networkPolicy.enabled=true', 'image.registry=registry.example.com/team/', 'image.tag=1.2.3'],
    ...['monitoring.serviceMonitor.enabled=true', 'monitoring.podMonitor.enabled=true', 'commonLabels.team=platform'],
    ...[`image.digest.sentry=sha256:${'0'.repeat(64)}`, 'image.pullSecrets[0].name=pull'],
  );
});

test('helm finds nothing to complain of', async () => {
  expect(await helm('lint', '--strict', '--kube-version', '1.30.0', CHART)).toMatch(/0 chart\(s\) failed/);
});

test('the same values render the same bytes', async () => {
  expect(await template('ha=true')).toBe(await template('ha=true'));
});

test('a value that is none is refused, by its name', async () => {
  const { status, stderr } = await run('helm', ['template', 'invoke', CHART, '--set', 'imagee.tag=1']);
  expect([status === 0, stderr]).toEqual([false, expect.stringContaining('imagee')]);
});

test('an older Kubernetes is refused', async () => {
  const { status, stderr } = await run('helm', ['template', 'invoke', CHART, '--kube-version', '1.29.9']);
  expect([status === 0, stderr]).toEqual([false, expect.stringContaining('>=1.30')]);
});

describe('with ha', () => {
  test.each(PARTS)('%s has three replicas, spread softly over zones and nodes', (name) => {
    const spec = one(full, 'Deployment', name).spec;
    expect(spec?.replicas).toBe(3);
    const spread = spec?.template?.spec.topologySpreadConstraints?.map((by) => [by.topologyKey, by.whenUnsatisfiable]);
    expect(spread).toEqual([
      ['topology.kubernetes.io/zone', 'ScheduleAnyway'],
      ['kubernetes.io/hostname', 'ScheduleAnyway'],
    ]);
  });

  test.each(PARTS)('%s loses one replica at a time to a drain, and one that is not ready stops none', (name) => {
    const { spec } = one(full, 'PodDisruptionBudget', name);
    expect(spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
  });
});

test('one replica has neither spread nor a budget that would stop every drain', () => {
  expect(plain.filter(({ kind }) => kind === 'PodDisruptionBudget')).toEqual([]);
  const spread = PARTS.map((name) => one(plain, 'Deployment', name).spec?.template?.spec.topologySpreadConstraints);
  expect(spread).toEqual([undefined, undefined]);
});

test('every container is restricted', () => {
  for (const { spec } of full.flatMap(({ spec }) => spec?.template ?? [])) {
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    for (const { securityContext } of spec.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  }
});

test('images are found by registry, tag and digest', () => {
  const imageOf = (name: string) => one(full, 'Deployment', name).spec?.template?.spec.containers[0]?.image;
  expect(imageOf('invoke-operator')).toBe('registry.example.com/team/invoke-operator:1.2.3');
  expect(imageOf('invoke-sentry')).toBe(`registry.example.com/team/invoke-sentry@sha256:${'0'.repeat(64)}`);
  const operator = one(full, 'Deployment', 'invoke-operator').spec?.template;
  expect(JSON.stringify(operator)).toContain('registry.example.com/team/invoke-sidecar:1.2.3');
  expect(operator?.spec.imagePullSecrets).toEqual([{ name: 'pull' }]);
});

test('the network policy lets in what is served, and nothing else', () => {
  const ports = (name: string) => one(full, 'NetworkPolicy', name).spec?.ingress;
  expect(ports('invoke-sentry')).toEqual([{ ports: [{ port: 'sentry' }] }, { ports: [{ port: 'metrics' }] }]);
  expect(ports('invoke-operator')).toEqual([
    { ports: [{ port: 'webhook' }, { port: 'feed' }] },
    { ports: [{ port: 'metrics' }] },
  ]);
  expect(plain.filter(({ kind }) => kind === 'NetworkPolicy')).toEqual([]);
});

test('monitors are made on request alone', () => {
  const monitors = (objects: readonly Rendered[]) => objects.filter(({ kind }) => kind.endsWith('Monitor'));
  expect(monitors(plain)).toEqual([]);
  expect(monitors(full).map(({ kind }) => kind)).toEqual(expect.arrayContaining(['ServiceMonitor', 'PodMonitor']));
});

describe('rights', () => {
  const rules = (kind: string, name: string) => one(plain, kind, name).rules ?? [];

  test.each(PARTS)('%s has no wildcard, and no Secret but its own', (name) => {
    const everywhere = rules('ClusterRole', name);
    for (const rule of [...everywhere, ...rules('Role', name)]) {
      expect([...rule.apiGroups, ...rule.resources, ...rule.verbs]).not.toContain('*');
    }
    expect(everywhere.flatMap(({ resources }) => resources)).not.toContain('secrets');
    const secrets = rules('Role', name).filter(({ resources }) => resources.includes('secrets'));
    const own = name === 'invoke-sentry' ? 'invoke-ca' : 'invoke-webhook-certificate';
    expect(secrets.map(({ resourceNames }) => resourceNames)).toEqual([[own]]);
  });

  test('the sentry writes in its own namespace alone', () => {
    const writing = rules('ClusterRole', 'invoke-sentry').flatMap(({ resources, verbs }) =>
      verbs.filter((verb) => !/^(get|list|watch)$/.test(verb)).map((verb) => `${verb} ${resources}`),
    );
    expect(writing).toEqual(['create tokenreviews']);
  });

  test("what owns the operator's objects grants nothing", () => {
    expect(rules('ClusterRole', 'invoke-owner')).toEqual([]);
  });
});

test('the webhooks fail closed, and leave kube-system and our own namespace alone', () => {
  for (const kind of ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']) {
    for (const { failurePolicy, namespaceSelector, clientConfig } of one(plain, kind, 'invoke').webhooks ?? []) {
      expect(failurePolicy).toBe('Fail');
      expect(JSON.stringify(namespaceSelector)).toContain(`["kube-system","${CONTROL_PLANE}"]`);
      expect(clientConfig).not.toHaveProperty('caBundle');
    }
  }
});

test('what the control plane fills has no contents to begin with', () => {
  const filled = ['Secret/invoke-ca', 'Secret/invoke-webhook-certificate', 'ConfigMap/invoke-trust-bundle'];
  for (const [kind = '', name = ''] of filled.map((object) => object.split('/'))) {
    expect(one(plain, kind, name)).not.toHaveProperty('data');
  }
});

test.each([
  ['ca.keep', 'Secret', /^invoke-ca$/],
  ['crds.keep', 'CustomResourceDefinition', /\.invoke\.io$/],
])('what %s keeps at uninstall goes without it', async (value, kind, name) => {
  const kept = (objects: readonly Rendered[]) =>
    objects
      .filter((object) => object.kind === kind && name.test(object.metadata.name))
      .map(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy']);
  expect(new Set(kept(plain))).toEqual(new Set(['keep']));
  expect(new Set(kept(await render(`${value}=false`)))).toEqual(new Set([undefined]));
});

test('the CustomResourceDefinitions can be left to somebody else', async () => {
  const without = await render('crds.enabled=false');
  expect(without.filter(({ kind }) => kind === 'CustomResourceDefinition')).toEqual([]);
});

test("sidecars' defaults reach the operator as text", async () => {
  const values = ['sidecar.defaults.log-level=debug', 'sidecar.defaults.max-body-size=4194304'];
  const [, json = ''] = /INVOKE_SIDECAR_DEFAULTS\n\s+value: (.*)/.exec(await template(...values)) ?? [];
  expect(JSON.parse(JSON.parse(json))).toEqual({ 'log-level': 'debug', 'max-body-size': '4194304' });
});
