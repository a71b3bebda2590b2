// The first ten minutes of somebody who installs Invoke: install, annotate, call across namespaces.
import { beforeAll, expect, test } from 'vitest';
import { APP_IMAGE, aPod, callFrom, deploy, echoed, meshed, namespace } from '../apps.ts';
import { makeExpiringToken } from '../expiring-token.ts';
import { CONTROL_PLANE, install } from '../installation.ts';
import { apply, helm, kubectl, run, until } from '../kubectl.ts';

const FRONT = 'e2e-front';
const SHOP = 'e2e-shop';

beforeAll(async () => {
  await install();
  await makeExpiringToken();
  await namespace(FRONT);
  await namespace(SHOP);
});

test('what helm installed can be used as soon as it says so', async () => {
  // Not one look and no retry in between: the pod is admitted, injected, certified and ready.
  await deploy({ name: 'orders', namespace: SHOP, annotations: meshed('orders') });
  await deploy({ name: 'web', namespace: FRONT, annotations: meshed('web') });
  const web = await aPod(FRONT, 'invoke.io/app-id=web');
  expect(web.spec.initContainers?.[0]?.name).toBe('invoke-sidecar');
});

test('apps in two namespaces call each other by app.namespace, and the callee sees who calls', async () => {
  const web = await aPod(FRONT, 'invoke.io/app-id=web');
  const orders = await aPod(SHOP, 'invoke.io/app-id=orders');

  const there = await echoed(FRONT, web.metadata.name, `orders.${SHOP}`, 'orders/7');
  expect(there.pod).toBe(orders.metadata.name);
  expect(there.url).toBe('/orders/7');
  expect(there.headers['dapr-caller-app-id']).toBe('web');
  expect(there.headers['dapr-caller-namespace']).toBe(FRONT);

  const back = await echoed(SHOP, orders.metadata.name, `web.${FRONT}`);
  expect(back.headers['dapr-caller-app-id']).toBe('orders');
});

test('an app that nobody claims is 404, and says so', async () => {
  const web = await aPod(FRONT, 'invoke.io/app-id=web');
  const answer = await callFrom(FRONT, web.metadata.name, `/v1.0/invoke/nobody.${SHOP}/method/x`);
  expect([answer.status, answer.headers['invoke-fault']]).toEqual([404, 'unknown-app']);
});

test('a plain TCP client on the peer port gets nothing', async () => {
  const orders = await aPod(SHOP, 'invoke.io/app-id=orders');
  const stranger = [
    `const socket = require('node:net').connect(50002, '${orders.status.podIP}');`,
    "let got = 0; socket.on('data', (data) => { got += data.length; });",
    "socket.on('connect', () => socket.write('GET / HTTP/1.1\\r\\nhost: orders\\r\\n\\r\\n'));",
    "socket.on('close', () => console.log('application bytes: ' + got)).on('error', () => undefined);",
  ].join('');
  const container = {
    name: 'stranger',
    image: APP_IMAGE,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '-e', stranger],
  };
  const spec = { restartPolicy: 'Never', containers: [container] };
  await apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'stranger', namespace: FRONT }, spec });
  await kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/stranger', '-n', FRONT, '--timeout=60s');
  const stdout = await kubectl('logs', 'stranger', '-n', FRONT);
  // At most a TLS alert (7 bytes), which is what a TLS server says to bytes that are no TLS.
  const bytes = Number(/application bytes: (\d+)/.exec(stdout)?.[1]);
  expect(bytes).toBeLessThanOrEqual(7);
});

test("the chart's own test passes", async () => {
  expect(await helm('test', 'invoke', '-n', CONTROL_PLANE, '--timeout', '3m')).toMatch(/Phase:\s+Succeeded/);
});

test('the control plane runs under the restricted Pod Security Standard', async () => {
  const label = 'pod-security.kubernetes.io/enforce=restricted';
  const said = await run('kubectl', ['label', '--dry-run=server', '--overwrite', 'namespace', CONTROL_PLANE, label]);
  expect(said.stderr).not.toMatch(/violate/);
});

test('a sidecar is found by a headless Service that only the operator keeps', async () => {
  const look = () =>
    kubectl(
      'get',
      'service',
      'orders-invoke',
      '-n',
      SHOP,
      '-o',
      'jsonpath={.spec.clusterIP} {.spec.ports[0].targetPort}',
    );
  expect(await look()).toBe('None invoke-peer');
  await kubectl(
    'patch',
    'service',
    'orders-invoke',
    '-n',
    SHOP,
    '--type=json',
    '-p',
    '[{"op":"replace","path":"/spec/ports/0/targetPort","value":1}]',
  );
  await until('the edit to be taken back', async () => (await look()) === 'None invoke-peer');
});
