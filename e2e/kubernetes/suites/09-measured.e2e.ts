// Numbers, printed and not judged: what injection adds to a pod's readiness, and what each part takes at idle.
import { beforeAll, test } from 'vitest';
import { aPod, deploy, meshed, namespace, podSpec } from '../apps.ts';
import { CONTROL_PLANE, ensureInstalled } from '../installation.ts';
import { apply, kubectl, type Manifest, run } from '../kubectl.ts';
import { median, usage } from '../usage.ts';

const HERE = 'e2e-measured';
const SAMPLES = 20;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await deploy({ name: 'idle', namespace: HERE, annotations: meshed('idle') });
});

/** From the request that creates the pod to its Ready condition, by this machine's clock. */
async function msToReady(pod: Manifest): Promise<number> {
  const startedMs = Date.now();
  await apply(pod);
  const name = String(pod.metadata.name);
  await kubectl('wait', '--for=condition=ready', `pod/${name}`, '-n', HERE, '--timeout=120s');
  const tookMs = Date.now() - startedMs;
  await run('kubectl', ['delete', 'pod', name, '-n', HERE, '--now', '--wait=false']);
  return tookMs;
}

test('time from create to ready, with and without a sidecar', async () => {
  const pod = (name: string, annotations?: Readonly<Record<string, string>>): Manifest => {
    const metadata = { name, namespace: HERE, ...(annotations ? { annotations } : {}) };
    return { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec({}) };
  };
  const bare: number[] = [];
  const injected: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    bare.push(await msToReady(pod(`bare-${i}`)));
    injected.push(await msToReady(pod(`injected-${i}`, meshed('timed'))));
  }
  const [without, withSidecar] = [median(bare), median(injected)];
  console.log(
    `ready after, median of ${SAMPLES}: ${without} ms bare, ${withSidecar} ms injected, ${withSidecar - without} ms more`,
  );
});

test('memory and CPU of each part, at idle', async () => {
  const idle = await aPod(HERE, 'invoke.io/app-id=idle');
  const parts: [string, string, string, string][] = [['sidecar', HERE, idle.metadata.name, 'invoke-sidecar']];
  for (const part of ['operator', 'sentry']) {
    const { metadata } = await aPod(CONTROL_PLANE, `app.kubernetes.io/name=invoke-${part}`);
    parts.push([part, CONTROL_PLANE, metadata.name, part]);
  }
  for (const [part, where, pod, container] of parts) {
    const before = await usage(where, pod, container);
    await new Promise((idleFor) => setTimeout(idleFor, 5000));
    const after = await usage(where, pod, container);
    const cpuMilli = (after.cpuMs - before.cpuMs) / ((after.atMs - before.atMs) / 1000);
    console.log(`${part}: ${after.rssMib} MiB resident, ${cpuMilli.toFixed(1)} ms of CPU a second`);
  }
});
