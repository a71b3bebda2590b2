// Change under steady calls: pods come and go, DNS is slow to tell and then away, the chart is upgraded. No call fails.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aPod, deploy, echoed, isReady, meshed, namespace, pods, rolledOut } from '../apps.ts';
import { ensureInstalled, install } from '../installation.ts';
import { get, kubectl, until } from '../kubectl.ts';
import { type Load, loadSoFar, moreCalls, startLoad, stopLoad } from '../load.ts';

const HERE = 'e2e-change';
let caller: string;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await deploy({ name: 'caller', namespace: HERE, annotations: meshed('caller') });
  await deploy({ name: 'callee', namespace: HERE, annotations: meshed('callee') });
  caller = (await aPod(HERE, 'invoke.io/app-id=caller')).metadata.name;
  await echoed(HERE, caller, 'callee');
});

/** Steady calls while `change` happens; none of them may fail. */
async function underLoad(change: () => Promise<void>): Promise<Load> {
  await startLoad(HERE, caller, 'callee', { method: 'POST' });
  await moreCalls(HERE, caller, 20);
  await change();
  const load = await stopLoad(HERE, caller);
  expect(load.failed).toEqual([]);
  return load;
}

async function scaleUpAndDown(): Promise<void> {
  await kubectl('scale', 'deployment', 'callee', '-n', HERE, '--replicas=5');
  await rolledOut(HERE, 'callee');
  const five = await pods(HERE, 'invoke.io/app-id=callee');
  const ready = five.filter(isReady).map(({ metadata }) => metadata.name);
  expect(ready).toHaveLength(5);
  await until(
    'all five to be used',
    async () => {
      const { lastSeen } = await loadSoFar(HERE, caller);
      return ready.every((name) => lastSeen[name] !== undefined);
    },
    10_000,
  );

  await kubectl('scale', 'deployment', 'callee', '-n', HERE, '--replicas=1');
  const left = await until('four to be leaving', async () => {
    const leaving = (await pods(HERE, 'invoke.io/app-id=callee')).filter(({ metadata }) => metadata.deletionTimestamp);
    return leaving.length === 4 ? leaving.map(({ metadata }) => metadata.name) : undefined;
  });
  await until(
    'the removed ones to be left',
    async () => {
      const { lastSeen, nowMs } = await loadSoFar(HERE, caller);
      return left.every((name) => nowMs - (lastSeen[name] ?? 0) > 2000);
    },
    10_000 + 2000,
  );
  await until('the removed ones to be gone', async () => (await pods(HERE, 'invoke.io/app-id=callee')).length === 1);
}

test('scaling from 1 to 5 and back: new pods are used and removed ones left within 10 s', async () => {
  await underLoad(scaleUpAndDown);
});

test('a rolling restart of the callee', async () => {
  await underLoad(async () => {
    await kubectl('rollout', 'restart', 'deployment/callee', '-n', HERE);
    await rolledOut(HERE, 'callee');
  });
});

test('a changed value of the chart', async () => {
  await underLoad(() => install('sidecar.defaults.log-level=debug'));
  await install();
});

describe('with CoreDNS', () => {
  let corefile: string;

  const dnsIsServed = () => rolledOut('kube-system', 'coredns');
  const restartDns = async () => {
    await kubectl('rollout', 'restart', 'deployment/coredns', '-n', 'kube-system');
    await dnsIsServed();
  };
  const setCorefile = (text: string) => {
    const patch = JSON.stringify({ data: { Corefile: text } });
    return kubectl('patch', 'configmap', 'coredns', '-n', 'kube-system', '--type=merge', '-p', patch);
  };

  beforeAll(async () => {
    const { data } = await get<{ data: { Corefile: string } }>('configmap', 'coredns', '-n', 'kube-system');
    corefile = data.Corefile;
  });

  afterAll(async () => {
    await setCorefile(corefile);
    await restartDns();
  });

  test('at ttl 30 and cache 30, scaling is followed as fast', async () => {
    await setCorefile(corefile.replace(/\bttl \d+/, 'ttl 30').replace(/\bcache \d+/, 'cache 30'));
    await restartDns();
    await underLoad(scaleUpAndDown);
  });

  test('restarted, nobody notices', async () => {
    await underLoad(restartDns);
  });

  test('away altogether, what is known is still called', async () => {
    await underLoad(async () => {
      await kubectl('scale', 'deployment', 'coredns', '-n', 'kube-system', '--replicas=0');
      await until('CoreDNS to be gone', async () => (await pods('kube-system', 'k8s-app=kube-dns')).length === 0);
      await moreCalls(HERE, caller, 200);
      await kubectl('scale', 'deployment', 'coredns', '-n', 'kube-system', '--replicas=1');
      await dnsIsServed();
    });
  });
});
