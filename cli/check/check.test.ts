// `invokectl check` on a cluster: what is found, what is not, and how it ends.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ACCESS_POLICIES, NAMESPACE_POLICIES } from '../../kube/custom.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { DEPLOYMENTS, type Kind, type KubernetesObject, NETWORK_POLICIES, PODS, SERVICES } from '../../kube/types.ts';
import { throwawayFolder } from '../testing.ts';
import { ran, writeKubeconfig } from '../testing-commands.ts';

const SIDECAR = 'registry.example/invoke-sidecar:2';

let server: ApiServer;
let cwd: string;

beforeEach(async () => {
  [server, cwd] = [await startApiServer(), throwawayFolder('check')];
  const env = [{ name: 'INVOKE_SIDECAR_IMAGE', value: SIDECAR }];
  put(DEPLOYMENTS, { name: 'invoke-operator', namespace: 'invoke-system' }, operatorWith(env));
  writeKubeconfig(cwd, server.url);
});

afterEach(() => server.stop());

const operatorWith = (env: readonly object[]) => ({ template: { spec: { containers: [{ name: 'operator', env }] } } });

function put<T extends KubernetesObject>(kind: Kind<T>, metadata: object, spec: object, status?: object): void {
  const object = { metadata, spec, ...(status && { status }) };
  server.put<KubernetesObject>(kind, object);
}

function check(line = '') {
  return ran(`check --kubeconfig kubeconfig ${line}`.trim().split(' '), { cwd, home: cwd });
}

/** What was found, without what is to be done about it. */
async function found(line = ''): Promise<string[]> {
  const { stdout } = await check(`-o json ${line}`.trim());
  const { findings } = JSON.parse(stdout);
  return findings.map((one: Record<string, string>) => `${one.problem} ${one.namespace} ${one.about}: ${one.why}`);
}

const LABELS = { 'invoke.io/app-id': 'orders', team: 'a' };
const at = (name: string, labels: Readonly<Record<string, string>> = LABELS) => ({
  ...{ name, namespace: 'shop', labels },
  annotations: { 'invoke.io/app-id': 'orders' },
});

function podSpec(ports: readonly object[], more: object = {}) {
  const ownPorts = [
    { name: 'invoke-public', containerPort: 3501 },
    { name: 'invoke-peer', containerPort: 50002 },
  ];
  return {
    containers: [{ name: 'app', image: 'app:1', ports }],
    initContainers: [{ name: 'invoke-sidecar', image: SIDECAR, ports: ownPorts }],
    ...more,
  };
}

const WEB = { name: 'web', containerPort: 8080 };

test('nothing is found where all is well, and what nobody can know is said', async () => {
  put(PODS, at('orders-1'), podSpec([]));
  expect(await check()).toEqual({
    exitCode: 0,
    stdout:
      'nothing was found\n\nAn app that declares no port may listen on the address of its pod all the same: nobody can see that ' +
      'from outside of the pod.\n',
    stderr: '',
  });
});

test('what is found stands in a table, with what to do about each kind of it', async () => {
  put(PODS, at('orders-1'), podSpec([WEB]));
  const { exitCode, stdout } = await check();
  expect(exitCode).toBe(1);
  expect(stdout.split('\n').slice(0, 4)).toEqual([
    'PROBLEM    NAMESPACE  WHAT        WHY',
    'way-round  shop       app orders  port 8080: declared by the container app; no NetworkPolicy selects it',
    '',
    expect.stringMatching(/^way-round: if the app listens on the address of its pod, .*directTraffic: deny/),
  ]);
});

describe('a way round the sidecar', () => {
  const declared = 'way-round shop app orders: port 8080: declared by the container app';

  test('is a port that a container declares, or that a Service sends to, by number or by name', async () => {
    put(PODS, at('orders-1'), podSpec([WEB, { name: 'dns', containerPort: 53, protocol: 'UDP' }]));
    const selector = { team: 'a' };
    put(SERVICES, { name: 'orders', namespace: 'shop' }, { selector, ports: [{ port: 80, targetPort: 'web' }] });
    put(SERVICES, { name: 'admin', namespace: 'shop' }, { selector, ports: [{ port: 9000 }] });
    expect(await found()).toEqual([
      `${declared}, the Service orders sends there; no NetworkPolicy selects it`,
      'way-round shop app orders: port 9000: the Service admin sends there; no NetworkPolicy selects it',
    ]);
  });

  test('is told once for all pods of an app, and not of pods that are over', async () => {
    for (const name of ['orders-1', 'orders-2']) put(PODS, at(name), podSpec([WEB]));
    put(PODS, at('orders-0'), podSpec([{ containerPort: 7070 }]), { phase: 'Succeeded' });
    expect(await found()).toEqual([`${declared}; no NetworkPolicy selects it`]);
  });

  test.each([
    ['of another namespace', { name: 'orders', namespace: 'other' }, { selector: { team: 'a' } }],
    ['that selects others', { name: 'orders', namespace: 'shop' }, { selector: { team: 'b' } }],
    ['without a selector', { name: 'orders', namespace: 'shop' }, {}],
    [
      'of the operator',
      { name: 'orders-invoke', namespace: 'shop', labels: { 'app.kubernetes.io/managed-by': 'invoke-operator' } },
      { selector: { team: 'a' } },
    ],
  ])('is no Service %s', async (_, metadata, spec) => {
    put(PODS, at('orders-1'), podSpec([]));
    put(SERVICES, metadata, { ...spec, ports: [{ port: 8080 }] });
    expect(await found()).toEqual([]);
  });

  test('is no port of the sidecar, whoever sends there', async () => {
    put(PODS, at('orders-1'), podSpec([]));
    const spec = { selector: { team: 'a' }, ports: [{ port: 80, targetPort: 'invoke-public' }, { port: 50002 }] };
    put(SERVICES, { name: 'health', namespace: 'shop' }, spec);
    expect(await found()).toEqual([]);
  });

  const ingress = (...rules: readonly object[]) => ({ policyTypes: ['Ingress'], ingress: rules });
  test.each<[string, Record<string, unknown>, string | undefined]>([
    ['that lets nobody in', { policyTypes: ['Ingress'] }, undefined],
    ['that admits other ports', ingress({ ports: [{ port: 3501 }, { port: 8080, protocol: 'UDP' }] }), undefined],
    ['by expressions', { matchExpressions: 'In', ...ingress() }, undefined],
    ['about egress', { policyTypes: ['Egress'] }, 'no NetworkPolicy selects it'],
    ['for other pods', { matchExpressions: 'NotIn', ...ingress() }, 'no NetworkPolicy selects it'],
    ['that lets all in', ingress({}), 'the NetworkPolicy np lets everybody in'],
    ['with a range', ingress({ ports: [{ port: 8000, endPort: 8100 }] }), 'the NetworkPolicy np lets everybody in'],
    ['with a name', ingress({ ports: [{ port: 'web' }] }), 'the NetworkPolicy np lets everybody in'],
    ['for some', ingress({ from: [{ podSelector: {} }] }), 'the NetworkPolicy np lets some in'],
  ])('is judged by a NetworkPolicy %s', async (_, { matchExpressions, ...spec }, because) => {
    put(PODS, at('orders-1'), podSpec([WEB]));
    const expressions = [{ key: 'team', operator: matchExpressions, values: ['a'] }];
    const podSelector = matchExpressions === undefined ? {} : { matchExpressions: expressions };
    put(NETWORK_POLICIES, { name: 'np', namespace: 'shop' }, { podSelector, ...spec });
    expect(await found()).toEqual(because === undefined ? [] : [`${declared}; ${because}`]);
  });

  test("is the node's network, whatever NetworkPolicies say", async () => {
    put(PODS, at('orders-1'), podSpec([WEB], { hostNetwork: true }));
    put(NETWORK_POLICIES, { name: 'np', namespace: 'shop' }, { podSelector: {}, policyTypes: ['Ingress'] });
    expect(await found()).toEqual([`${declared}; it is on its node's network, which no NetworkPolicy is about`]);
  });

  test('is there though direct traffic is denied, while the NetworkPolicy of the operator is not', async () => {
    put(PODS, at('orders-1'), podSpec([]));
    const metadata = { name: 'shop' };
    const conditions = ['Accepted', 'Programmed'].map((type) => ({ type, status: 'True' }));
    put(NAMESPACE_POLICIES, metadata, { directTraffic: 'deny' }, { observedGeneration: 1, conditions });
    const missing = "directTraffic is denied, and the operator's NetworkPolicy orders-invoke is not there";
    expect(await found('-n shop')).toEqual([`way-round shop app orders: ${missing}`]);
    const labels = { 'invoke.io/app-id': 'orders' };
    put(
      NETWORK_POLICIES,
      { name: 'orders-invoke', namespace: 'shop', labels },
      { podSelector: { matchLabels: labels } },
    );
    const { exitCode, stdout } = await check();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('no API says whether it does');
  });
});

test('pods that asked for a sidecar and have none are found', async () => {
  put(PODS, at('orders-1', {}), { containers: [{ name: 'app', ports: [WEB] }] });
  put(PODS, at('orders-0', {}), { containers: [] }, { phase: 'Failed' });
  expect(await found()).toEqual(['no-sidecar shop pod orders-1: it has invoke.io/app-id: orders, and no sidecar']);
});

describe('sidecars of other versions', () => {
  const old = { name: 'invoke-sidecar', image: 'registry.example/invoke-sidecar:1' };

  test('are found, also where an annotation wants them', async () => {
    put(PODS, at('orders-1'), { containers: [], initContainers: [old] });
    const annotations = { 'invoke.io/sidecar-image': old.image };
    put(PODS, { ...at('orders-2'), annotations }, { containers: [], initContainers: [old] });
    expect(await found()).toEqual([
      `other-version shop pod orders-1: its sidecar is ${old.image}; installed is ${SIDECAR}`,
      `other-version shop pod orders-2: its sidecar is ${old.image}, as its annotation says; installed is ${SIDECAR}`,
    ]);
  });

  test('are compared with what the installation gives by default', async () => {
    const defaults = { name: 'INVOKE_SIDECAR_DEFAULTS', value: JSON.stringify({ 'sidecar-image': old.image }) };
    put(DEPLOYMENTS, { name: 'invoke-operator', namespace: 'mesh' }, operatorWith([defaults]));
    put(PODS, at('orders-1'), { containers: [], initContainers: [old] });
    expect(await found('--control-plane mesh')).toEqual([]);
    expect(await found('--control-plane nowhere')).toEqual([
      'not-installed  deployment invoke-operator: there is no such Deployment, or it does not say what sidecars run',
    ]);
  });
});

test('objects of ours that are refused, not looked at, or not in effect are found with the reason', async () => {
  const said = (accepted: string, programmed: string, observedGeneration = 1) => ({
    observedGeneration,
    conditions: [
      { type: 'Accepted', status: accepted, message: 'it makes no sense' },
      { type: 'Programmed', status: programmed, message: 'not all of it' },
    ],
  });
  const policy = (name: string, status?: object) => put(ACCESS_POLICIES, { name, namespace: 'shop' }, {}, status);
  policy('a-good', said('True', 'True'));
  policy('b-refused', said('False', 'False'));
  policy('c-partly', said('True', 'False'));
  policy('d-changed', said('True', 'True', 0));
  policy('e-new');
  expect(await found()).toEqual([
    'not-accepted shop AccessPolicy b-refused: it makes no sense',
    'not-in-effect shop AccessPolicy c-partly: not all of it',
    'not-accepted shop AccessPolicy d-changed: the operator has not looked at it as it is now',
    'not-accepted shop AccessPolicy e-new: the operator has not looked at it as it is now',
  ]);
});

test('one namespace can be looked at alone', async () => {
  put(PODS, { ...at('x', {}), namespace: 'other' }, { containers: [] });
  expect(await found('-n shop')).toEqual([]);
  expect(await found()).toHaveLength(1);
});

test('69: a cluster that cannot be read was not found to be well', async () => {
  server.failNext(1, { status: 403 });
  const { exitCode, stdout, stderr } = await check();
  expect({ exitCode, stdout }).toEqual({ exitCode: 69, stdout: '' });
  expect(stderr).toMatch(/^invokectl: the cluster cannot be checked: .*NamespacePolic/i);
});
