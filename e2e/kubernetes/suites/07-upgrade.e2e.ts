// What an upgrade leaves alone: whatever the control plane wrote where the chart says nothing.
import { beforeAll, expect, test } from 'vitest';
import { deploy, meshed, namespace, rolledOut } from '../apps.ts';
import { CHART, CONTROL_PLANE, ensureInstalled } from '../installation.ts';
import { get, helm, kubectl, refused } from '../kubectl.ts';

interface Configuration {
  readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
}

interface Filled {
  readonly data?: Readonly<Record<string, string>>;
}

beforeAll(() => ensureInstalled());

function upgrade(...values: readonly string[]): Promise<string> {
  const sets = values.flatMap((value) => ['--set', value]);
  const options = ['-n', CONTROL_PLANE, '--reset-then-reuse-values', '--wait', '--timeout', '4m'];
  return helm('upgrade', 'invoke', CHART, ...options, ...sets);
}

async function filledIn(): Promise<Readonly<Record<string, unknown>>> {
  const data = async (...object: readonly string[]) => (await get<Filled>(...object, '-n', CONTROL_PLANE)).data;
  return {
    authority: await data('secret', 'invoke-ca'),
    certificate: await data('secret', 'invoke-webhook-certificate'),
    anchors: await data('configmap', 'invoke-trust-bundle'),
    bundles: await bundles(),
  };
}

async function bundles(): Promise<readonly (string | undefined)[]> {
  const mutating = await get<Configuration>('mutatingwebhookconfiguration', 'invoke');
  const validating = await get<Configuration>('validatingwebhookconfiguration', 'invoke');
  return [mutating, validating].flatMap(({ webhooks }) => webhooks.map(({ clientConfig }) => clientConfig.caBundle));
}

test('an upgrade and the way back keep the authority, the anchors and the webhook certificate', async () => {
  const before = await filledIn();
  expect(Object.values(before).every((value) => JSON.stringify(value ?? '').length > 100)).toBe(true);
  await upgrade('log.level=debug');
  expect(await filledIn()).toEqual(before);
  await helm('rollback', 'invoke', '-n', CONTROL_PLANE, '--wait', '--timeout', '4m');
  expect(await filledIn()).toEqual(before);
});

test('nobody can empty the authority', async () => {
  const before = await filledIn();
  const empty = ['patch', 'secret', 'invoke-ca', '-n', CONTROL_PLANE, '--type=json', '-p'];
  expect(await refused([...empty, '[{"op":"remove","path":"/data"}]'])).toContain('keys of the certificate authority');
  expect((await filledIn()).authority).toEqual(before.authority);
});

test('with three replicas of each part, pods are admitted and started while both parts are restarted', async () => {
  const where = 'e2e-upgrade';
  await namespace(where);
  await upgrade('ha=true');
  try {
    let isOver = false;
    const restarted = (async () => {
      for (const part of ['invoke-operator', 'invoke-sentry']) {
        await kubectl('rollout', 'restart', `deployment/${part}`, '-n', CONTROL_PLANE);
        await rolledOut(CONTROL_PLANE, part);
      }
    })().finally(() => {
      isOver = true;
    });
    for (let i = 0; !isOver; i++) {
      // Throws where a webhook does not answer, and where a pod does not become ready.
      await deploy({ name: `app-${i}`, namespace: where, annotations: meshed(`app-${i}`) });
      await kubectl('delete', 'deployment', `app-${i}`, '-n', where, '--wait=false');
    }
    await restarted;
  } finally {
    await upgrade('ha=false');
  }
});
