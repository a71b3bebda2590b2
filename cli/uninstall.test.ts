// What is found in a cluster that stays there when the chart goes.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { type ApiServer, startApiServer } from '../kube/testing/api-server.ts';
import { CRON_JOBS, DEPLOYMENTS, PODS } from '../kube/types.ts';
import { leftBehind } from './uninstall.ts';

let server: ApiServer;
beforeEach(async () => {
  server = await startApiServer();
});
afterEach(() => server.stop());

const copied = { annotations: { 'invoke.io/app-id': 'web', 'invoke.io/copied': 'invoke.io/app-id' } };
const at = (name: string) => ({ name, namespace: 'shop' });
const selector = { matchLabels: { app: 'web' } };
const sidecar = { name: 'invoke-sidecar', image: 'x' };
const container = { name: 'app', image: 'x' };

test('workloads with copied annotations are found, and those with annotations of their own are not', async () => {
  server.put(DEPLOYMENTS, { metadata: at('web'), spec: { selector, template: { metadata: copied } } });
  const own = { annotations: { 'invoke.io/app-id': 'own' } };
  server.put(DEPLOYMENTS, { metadata: at('own'), spec: { selector, template: { metadata: own } } });
  const jobTemplate = { spec: { template: { metadata: copied } } };
  server.put(CRON_JOBS, { metadata: at('nightly'), spec: { schedule: '0 3 * * *', jobTemplate } });

  const { copied: found } = must(await leftBehind(server.kube));
  expect(found).toEqual([
    { namespace: 'shop', name: 'deployment/web', keys: ['invoke.io/app-id'] },
    { namespace: 'shop', name: 'cronjob/nightly', keys: ['invoke.io/app-id'] },
  ]);
});

test('pods that run a sidecar are found, and those that are over or have none are not', async () => {
  const spec = { containers: [container], initContainers: [sidecar] };
  server.put(PODS, { metadata: at('running'), spec });
  server.put(PODS, { metadata: at('over'), spec, status: { phase: 'Succeeded' } });
  server.put(PODS, { metadata: at('bare'), spec: { containers: [container] } });
  expect(must(await leftBehind(server.kube)).meshed).toEqual([{ namespace: 'shop', name: 'running' }]);
});

test('a cluster that cannot be read is a failure, and not an empty one', async () => {
  server.failNext(1, { status: 403 });
  expect((await leftBehind(server.kube)).ok).toBe(false);
});
