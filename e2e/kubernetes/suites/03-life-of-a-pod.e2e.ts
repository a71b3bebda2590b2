// The sidecar's life beside its app: there before anything calls out, gone after everything has.
import { beforeAll, expect, test } from 'vitest';
import { aPod, appContainer, callFrom, deploy, deployment, echoed, meshed, namespace, podSpec } from '../apps.ts';
import { ensureInstalled } from '../installation.ts';
import { apply, kubectl, type Manifest, run, until } from '../kubectl.ts';

const HERE = 'e2e-life';
const CALLEE = '/v1.0/invoke/callee/method/x';

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await deploy({ name: 'callee', namespace: HERE, annotations: meshed('callee') });
});

function job(name: string, env: Readonly<Record<string, string>>): Manifest {
  const metadata = { annotations: { 'invoke.io/app-id': name } };
  const spec = { ...podSpec({ env }), restartPolicy: 'Never' };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: HERE },
    spec: { backoffLimit: 0, template: { metadata, spec } },
  };
}

test('a Job that calls out completes', async () => {
  await apply(job('batch', { CALL_ONCE: CALLEE }));
  await kubectl('wait', '--for=condition=complete', 'job/batch', '-n', HERE, '--timeout=120s');
  expect(await kubectl('logs', 'job/batch', '-c', 'app', '-n', HERE)).toContain('"calledOnce":200');
});

test("an init container of the user's can call out already", async () => {
  const early = { ...appContainer({ env: { CALL_ONCE: CALLEE } }), name: 'early' };
  await deploy({ name: 'eager', namespace: HERE, annotations: meshed('eager'), pod: { initContainers: [early] } });
  const { metadata } = await aPod(HERE, 'invoke.io/app-id=eager');
  expect(await kubectl('logs', metadata.name, '-c', 'early', '-n', HERE)).toContain('"calledOnce":200');
});

test('an app that is slow to start gets 503 first, and then works', async () => {
  await apply(
    deployment({ name: 'slow', namespace: HERE, annotations: meshed('slow'), env: { LISTEN_AFTER_MS: '12000' } }),
  );
  const callee = await aPod(HERE, 'invoke.io/app-id=callee');
  const answers = new Set<string>();
  await until('the slow app to answer', async () => {
    const { status, headers } = await callFrom(HERE, callee.metadata.name, '/v1.0/invoke/slow/method/x');
    answers.add(`${status} ${headers['invoke-fault'] ?? ''}`.trim());
    return status === 200;
  });
  expect([...answers]).toContain('503 no-endpoint');
  // Before the operator has heard of the workload the name is unknown, and nothing else may ever be seen.
  for (const answer of answers) expect(['404 unknown-app', '503 no-endpoint', '200']).toContain(answer);
});

test('at SIGTERM, calls in flight and new outbound calls succeed until the app has exited', async () => {
  const env = { LINGER_MS: '4000', LINGER_PATH: CALLEE };
  await deploy({ name: 'leaver', namespace: HERE, annotations: meshed('leaver'), env });
  const leaver = await aPod(HERE, 'invoke.io/app-id=leaver');
  const callee = await aPod(HERE, 'invoke.io/app-id=callee');
  await echoed(HERE, callee.metadata.name, 'leaver');

  const log = run('kubectl', ['logs', '-f', leaver.metadata.name, '-c', 'app', '-n', HERE]);
  const inFlight = callFrom(HERE, callee.metadata.name, '/v1.0/invoke/leaver/method/x?afterMs=3000');
  // The call is there once the app says that it has begun to serve it.
  await until('the call to be in flight', async () => (await served(leaver.metadata.name)) >= 2);
  const deleted = kubectl('delete', 'deployment', 'leaver', '-n', HERE, '--cascade=foreground', '--timeout=90s');
  expect((await inFlight).status).toBe(200);
  const lingered = /"lingered":(\{.*?\})/.exec((await log).stdout)?.[1] ?? 'nothing';
  expect(Object.keys(JSON.parse(lingered))).toEqual(['200']);
  await deleted;
});

async function served(pod: string): Promise<number> {
  const said = await kubectl('get', '--raw', `/api/v1/namespaces/${HERE}/pods/${pod}:9000/proxy/served`);
  return JSON.parse(said).served;
}
