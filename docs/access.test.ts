// The examples of access.md do what the page says: its files are written as they stand there, and its commands are run.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { accessPolicySpec } from '../api/resources/access-policy.ts';
import { throwawayFolder } from '../cli/testing.ts';
import { ran } from '../cli/testing-commands.ts';
import { ACCESS_POLICIES } from '../kube/custom.ts';
import { startApiServer } from '../kube/testing/api-server.ts';
import { PODS } from '../kube/types.ts';
import { compileAccess } from '../policy/access/compile.ts';
import { decide } from '../policy/access/decide.ts';
import { DECISION_MESSAGE, decisionFields } from '../policy/access/decision-line.ts';
import { call, identity, policy } from '../policy/access/testing/policies.ts';
import { callMetrics } from '../sidecar/admin/call-metrics.ts';

const page = readFileSync(join(import.meta.dirname, 'access.md'), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text = '']) => text);

const FILES = ['orders.yaml', 'orders-next.yaml', 'shop.yaml', 'orders.test.yaml'];
const orders = identity('orders.shop');
const SEEN = ['GET /orders/7', 'GET /orders/8'].map((text) => call(identity('web.front'), text));
const verdict = { kind: 'deny', by: { kind: 'rule', name: 'shop/orders/no' } } as const;

/** With the page's policy in audit mode, and what a sidecar of orders counted. */
async function cluster(cwd: string): Promise<void> {
  const server = await startApiServer();
  onTestFinished(() => server.stop());
  writeFileSync(join(cwd, 'kubeconfig'), server.kubeConfig.exportConfig());
  const spec = accessPolicySpec.parse({ mode: 'audit' });
  const audit = { sinceTime: '2030-01-01T00:00:00Z', deniedCount: 17, lastDeniedTime: '2030-01-01T12:00:00Z' };
  server.put(ACCESS_POLICIES, { metadata: { name: 'orders-next', namespace: 'shop' }, spec, status: { audit } });
  const ports = [{ name: 'invoke-metrics', containerPort: 9090 }];
  server.put(PODS, {
    metadata: { name: 'orders-1', namespace: 'shop', labels: { 'invoke.io/app-id': 'orders' } },
    spec: { containers: [], initContainers: [{ name: 'invoke-sidecar', ports }] },
    status: { phase: 'Running' },
  });
  const metrics = callMetrics('test');
  for (let i = 0; i < 17; i++) metrics.accessAuditDenied('web.front', 'shop/orders-next/nobody-lists');
  server.page('shop/orders-1:9090/metrics', metrics.render());
}

test('there is a name for each file of the page', () => {
  expect(blocks('yaml').length).toBe(FILES.length);
});

const commands = blocks('console').filter((text) => text.startsWith('$ invokectl '));

test.each(commands.map((text) => text.split(/\n(.*)/s)))('%s', async (command, output = '') => {
  const cwd = throwawayFolder('access');
  await cluster(cwd);
  for (const [i, text] of blocks('yaml').entries()) writeFileSync(join(cwd, FILES[i] ?? ''), text);
  const lines = SEEN.map((one) =>
    JSON.stringify({ message: DECISION_MESSAGE, ...decisionFields(orders, one, verdict) }),
  );
  writeFileSync(join(cwd, 'sidecar.log'), `${lines.join('\n')}\n`);
  const args = command?.replace('$ invokectl ', '').split(' ') ?? [];
  expect(await ran(args, { cwd, env: { KUBECONFIG: 'kubeconfig' } })).toMatchObject({ stdout: output, stderr: '' });
});

describe('the table of path templates', () => {
  const rows = [...page.matchAll(/^\| `(\/[^`]*)` \| (.*?) \| ?(.*?) ?\|$/gm)];
  const pathsIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);

  test.each(rows.map(([, template = '', yes = '', no = '']) => [template, pathsIn(yes), pathsIn(no)] as const))(
    '%s matches %s and not %s',
    (template, matching, others) => {
      const policies = [policy({ rules: [{ name: 'it', to: [{ paths: [template] }] }] })];
      const rules = compileAccess({ own: orders, policies, defaults: { installation: 'allow' } });
      const isAllowed = (path: string) => decide(rules, call(identity('web.front'), `GET ${path}`)).kind === 'allow';
      expect(matching.filter((path) => path.startsWith('/') && !isAllowed(path))).toEqual([]);
      expect(others.filter(isAllowed)).toEqual([]);
    },
  );

  test('is found', () => {
    expect(rows.length).toBe(4);
  });
});
