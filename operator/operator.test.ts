// The operator as a whole, against an API server: what it serves, who of several leads, and that it goes without a trace.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseNamespace, parseTrustDomain } from '../api/ids.ts';
import { type Clock, systemClock } from '../kit/clock.ts';
import { silentLog } from '../kit/log.ts';
import { must } from '../kit/result.ts';
import { portOf, silentServer } from '../kit/testing/ports.ts';
import { type ApiServer, startApiServer } from '../kube/testing/api-server.ts';
import {
  CLUSTER_ROLES,
  CONFIG_MAPS,
  DEPLOYMENTS,
  type KubernetesObject,
  LEASES,
  NAMESPACES,
  SERVICES,
} from '../kube/types.ts';
import type { OperatorConfig } from './config.ts';
import { type Operator, startOperator } from './operator.ts';

const namespace = must(parseNamespace('invoke-system'));
const ANY_PORTS = { webhook: 0, feed: 0, health: 0, metrics: 0 };

/** Waits are shorter than they say, so that another replica looks for a leader at once. */
const hastyClock: Clock = { ...systemClock, after: (delayMs, task) => systemClock.after(delayMs / 50, task) };

let server: ApiServer;
let operators: Operator[];

beforeEach(async () => {
  operators = [];
  server = await startApiServer();
  server.put(CLUSTER_ROLES, { metadata: { name: 'invoke-owner' } });
  for (const name of ['invoke-system', 'shop']) server.put(NAMESPACES, { metadata: { name } });
});

afterEach(async () => {
  await Promise.all(operators.map((operator) => operator.stop()));
  await server.stop();
});

function configOf(replica: string, ports: OperatorConfig['ports'] = ANY_PORTS): OperatorConfig {
  return {
    ...{
      namespace,
      replica,
      ports,
      trustDomain: must(parseTrustDomain('cluster.local')),
      defaultAccess: 'allow',
      clusterDomain: 'cluster.local',
    },
    ...{ mutatingWebhook: 'invoke', validatingWebhook: 'invoke' },
    sidecar: { image: 'sidecar:1', imagePullPolicy: 'IfNotPresent', defaults: {} },
    log: { level: 'info', format: 'json' },
    kubeconfig: undefined,
  };
}

function start(config: OperatorConfig) {
  return startOperator(config, { kube: server.kube, clock: hastyClock, random: () => 0.5, log: silentLog });
}

async function open(replica = 'operator-1'): Promise<Operator> {
  const operator = must(await start(configOf(replica)));
  operators.push(operator);
  return operator;
}

function publish(anchors: string): void {
  const metadata = { name: 'invoke-trust-bundle', namespace: 'invoke-system' };
  server.put(CONFIG_MAPS, { metadata, data: { 'trust-anchors.crt': anchors } });
}

function deploy(app: string): void {
  const template = { metadata: { annotations: { 'invoke.io/app-id': app } } };
  server.put<KubernetesObject>(
    DEPLOYMENTS,
    Object.assign({ metadata: { name: app, namespace: 'shop' } }, { spec: { template } }),
  );
}

/** Settles once the object is as it should be. */
async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await server.requested({});
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The server hears of a cut connection a moment later. */
async function noWatchIsLeft(): Promise<void> {
  while (server.watches() > 0) await new Promise((resolve) => setImmediate(resolve));
}

const bundleIn = (name: string) => server.object(CONFIG_MAPS, 'invoke-trust-bundle', name)?.data?.['trust-anchors.crt'];
const leader = () => server.object(LEASES, 'invoke-operator', 'invoke-system')?.spec?.holderIdentity || undefined;

describe('an operator', () => {
  test('makes a Service for an app that is deployed, and again when somebody deletes it', async () => {
    await open();
    deploy('web');
    const first = await until(() => server.object(SERVICES, 'web-invoke', 'shop'));
    server.remove(SERVICES, 'web-invoke', 'shop');
    const second = await until(() => server.object(SERVICES, 'web-invoke', 'shop'));
    expect(second.metadata?.uid).not.toBe(first.metadata?.uid);
  });

  test('copies what the sentry publishes to every namespace, old and new, and reverts edits', async () => {
    await open();
    publish('A');
    await until(() => (bundleIn('shop') === 'A' ? true : undefined));
    server.put(NAMESPACES, { metadata: { name: 'later' } });
    await until(() => (bundleIn('later') === 'A' ? true : undefined));
    const copy = server.object(CONFIG_MAPS, 'invoke-trust-bundle', 'shop');
    server.put(CONFIG_MAPS, { ...copy, data: { 'trust-anchors.crt': 'MINE' } });
    await until(() => (bundleIn('shop') === 'A' ? true : undefined));
    publish('B');
    await until(() => (bundleIn('shop') === 'B' && bundleIn('later') === 'B' ? true : undefined));
    expect(bundleIn('invoke-system')).toBe('B');
  });

  test('is alive at once, and says what it waits for until it is ready', async () => {
    const { ports, unready } = await open();
    expect((await fetch(`http://127.0.0.1:${ports.health}/healthz`)).status).toBe(200);
    const answer = await fetch(`http://127.0.0.1:${ports.health}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.text()).toMatch(/^the feed has no certificate from the sentry yet$/m);
    await until(() => unready().find((reason) => /^there are no trust anchors in the ConfigMap/.test(reason)));
  });

  test('counts what it does, and says how fresh its knowledge is', async () => {
    const { ports } = await open();
    deploy('web');
    await until(() => server.object(SERVICES, 'web-invoke', 'shop'));
    const page = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
    expect(page).toContain('invoke_operator_leader 1');
    expect(page).toMatch(/^invoke_operator_store_staleness_seconds\{store="pods"\} [\d.e-]+$/m);
    expect(page).toContain('invoke_operator_store_objects{store="deployments"} 1');
  });

  test('has every metric described in the docs, and no other', async () => {
    const { ports } = await open();
    const page = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
    const served = [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const docs = readFileSync(join(import.meta.dirname, '../docs/operations.md'), 'utf8');
    const described = [...docs.matchAll(/^\| `(invoke_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(described.toSorted()).toEqual(served.toSorted());
  });

  test('stops without a trace: no watch, no port, no lease', async () => {
    const { ports, stop } = await open();
    await until(leader);
    await stop();
    await noWatchIsLeft();
    expect(leader()).toBeUndefined();
    await expect(fetch(`http://127.0.0.1:${ports.health}/healthz`)).rejects.toThrow();
  });

  test.each(['webhook', 'feed', 'health', 'metrics'] as const)(
    'that cannot listen for %s does not start, says so, and leaves nothing behind',
    async (door) => {
      const taken = await silentServer();
      try {
        const started = await start(configOf('operator-1', { ...ANY_PORTS, [door]: portOf(taken) }));
        expect(started.ok ? '' : started.error).toContain(String(portOf(taken)));
        await noWatchIsLeft();
      } finally {
        taken.close();
      }
    },
  );
});

describe('of several replicas', () => {
  test('one leads, and the next takes over when it stops', async () => {
    const [first, second] = [await open('operator-1'), await open('operator-2')];
    const was = await until(leader);
    const [leading, other] = was.startsWith('operator-1') ? [first, 'operator-2'] : [second, 'operator-1'];
    await leading.stop();
    await until(() => (leader()?.startsWith(other) ? true : undefined));
    deploy('web');
    await until(() => server.object(SERVICES, 'web-invoke', 'shop'));
  });
});
