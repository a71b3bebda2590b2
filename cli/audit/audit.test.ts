// `invokectl policy audit`, on a cluster and on this machine: what it counts together, what it leaves out, and how it ends.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { parseSpiffeId, spiffeId } from '../../api/ids.ts';
import { accessPolicySpec } from '../../api/resources/access-policy.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { processes } from '../../kit/testing/processes.ts';
import { ACCESS_POLICIES } from '../../kube/custom.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { PODS } from '../../kube/types.ts';
import { callMetrics } from '../../sidecar/admin/call-metrics.ts';
import { openRegistryFiles } from '../../sidecar/resolve/registry-files.ts';
import { throwawayFolder } from '../testing.ts';
import { ran, writeKubeconfig } from '../testing-commands.ts';

let server: ApiServer;
let cwd: string;
beforeEach(async () => {
  [server, cwd] = [await startApiServer(), throwawayFolder('audit')];
  writeKubeconfig(cwd, server.url);
});
afterEach(() => server.stop());

async function audit(line: string) {
  const host = { cwd, home: cwd, env: { INVOKE_HOME: cwd }, processes };
  const { stdout, ...rest } = await ran(`policy audit ${line}`.trim().split(' '), host);
  return { ...rest, stdout: stdout.split('\n') };
}
const inCluster = (line = '') => audit(`--kubeconfig kubeconfig ${line}`.trim());

function policy(name: string, mode: 'audit' | 'enforce', lastDeniedTime?: string): void {
  const seen = { sinceTime: '2030-01-01T00:00:00Z', deniedCount: 1, ...(lastDeniedTime && { lastDeniedTime }) };
  const spec = accessPolicySpec.parse({ mode });
  const status = mode === 'audit' ? { status: { audit: seen } } : {};
  server.put(ACCESS_POLICIES, { metadata: { name, namespace: 'shop' }, spec, ...status });
}

/** A pod whose sidecar counted these calls, by caller and by what would have denied them. */
function pod(name: string, app: string, counted: readonly (readonly [string, string])[] | 'unreachable'): void {
  const ports = [{ name: 'invoke-metrics', containerPort: 9091 }];
  server.put(PODS, {
    metadata: { name, namespace: 'shop', labels: { 'invoke.io/app-id': app } },
    spec: { containers: [], initContainers: [{ name: 'invoke-sidecar', ports }] },
    status: { phase: 'Running' },
  });
  if (counted !== 'unreachable') server.page(`shop/${name}:9091/metrics`, metricsOf(counted));
}

/** As a sidecar writes it. */
function metricsOf(counted: readonly (readonly [string, string])[]): string {
  const metrics = callMetrics('test');
  for (const [caller, rule] of counted) metrics.accessAuditDenied(caller, rule);
  return metrics.render();
}

describe('on a cluster', () => {
  test('what the sidecars of all pods counted is one table, and old counts of policies that are enforced are left out', async () => {
    policy('next', 'audit', '2030-01-01T12:00:00Z');
    policy('old', 'enforce');
    const [no, otherwise, old] = ['shop/next/no', 'default of shop/next', 'shop/old/no'];
    pod('orders-1', 'orders', [
      ['web.front', no],
      ['web.front', no],
      ['web.front', old],
    ]);
    pod('orders-2', 'orders', [
      ['web.front', no],
      ['a"b\\.front of other.example', otherwise],
    ]);
    expect(await inCluster()).toEqual({
      exitCode: 0,
      stdout: [
        'POLICY     WOULD BE DENIED BY  CALLER                       APP          CALLS  LAST OF POLICY',
        'shop/next  rule no             web.front                    orders.shop  3      2030-01-01T12:00:00Z',
        'shop/next  its default         a"b\\.front of other.example  orders.shop  1      2030-01-01T12:00:00Z',
        '',
      ],
      stderr: '',
    });
    const { stdout } = await inCluster('-n shop -o json');
    expect(JSON.parse(stdout.join('\n'))).toMatchObject({
      denials: [{ policy: 'shop/next', deniedBy: no, caller: 'web.front', app: 'orders.shop', calls: 3 }, { calls: 1 }],
      policies: [{ name: 'shop/next' }],
      sidecars: 2,
      problems: [],
    });
  });

  test('where nothing was denied it says so, and what was before the sidecars that are there now', async () => {
    expect(await inCluster()).toMatchObject({
      exitCode: 0,
      stdout: [expect.stringContaining('no AccessPolicy is in'), ''],
    });
    policy('next', 'audit');
    pod('orders-1', 'orders', []);
    const { stdout } = await inCluster();
    expect(stdout[0]).toBe(
      'one sidecar was asked: since it started, no call came in that a policy in audit mode would deny',
    );
    policy('next', 'audit', '2030-01-01T12:00:00Z');
    expect((await inCluster()).stdout[0]).toContain(
      '; shop/next would have denied one at 2030-01-01T12:00:00Z, before',
    );
  });

  test('a sidecar that cannot be read is named, and the others are read; 69 when none could be', async () => {
    policy('next', 'audit');
    pod('orders-1', 'orders', 'unreachable');
    expect(await inCluster()).toMatchObject({
      exitCode: 69,
      stderr: expect.stringContaining('could not read /metrics of the pod shop/orders-1 at port 9091'),
    });
    pod('orders-2', 'orders', [['web.front', 'shop/next/no']]);
    expect(await inCluster()).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('shop/orders-1') });
  });

  test('69: the cluster cannot be asked', async () => {
    server.failNext(9, { status: 403, message: 'accesspolicies is forbidden' });
    expect(await inCluster()).toMatchObject({ exitCode: 69, stderr: expect.stringContaining('forbidden') });
  });
});

describe('on this machine', () => {
  test('each sidecar that runs is asked at its metrics port', async () => {
    const page = createServer((_, response) => response.end(metricsOf([['web.default', 'default/next/no']])));
    page.listen(0, '127.0.0.1');
    await once(page, 'listening');
    onTestFinished(() => void page.close());
    const directory = join(cwd, 'registry');
    const files = must(openRegistryFiles({ directory, processes, now: systemClock.now, log: silentLog }));
    const identity = must(parseSpiffeId('spiffe://localhost/ns/default/orders'));
    const ports = { peerPort: 50_002, httpPort: 3500, appPort: null, metricsPort: portOf(page) };
    must(
      files.write({
        ...{ version: 1, appId: identity.app, namespace: identity.namespace, spiffeId: spiffeId(identity) },
        ...{ pid: processes.ownPid, processStartTime: processes.startTime(processes.ownPid) ?? '', startedAt: 0 },
        ...{ ...ports, host: '127.0.0.1', ready: true, findable: true },
      }),
    );
    expect(await audit('--local')).toMatchObject({
      exitCode: 0,
      stdout: [expect.any(String), 'default/next  rule no             web.default  orders.default  1      -', ''],
    });
  });

  test('64: two places are meant', async () => {
    expect(await audit('--local --context test')).toMatchObject({ exitCode: 64 });
  });
});
