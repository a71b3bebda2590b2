// Who gets which certificate, and what the control plane itself may do.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../../api/ids.ts';
import { aPod, deploy, meshed, namespace } from '../apps.ts';
import { CONTROL_PLANE, ensureInstalled } from '../installation.ts';
import { kubectl, refused, run, until } from '../kubectl.ts';
import { identityOf, looseToken, openSentryTunnel, type SentryTunnel, sentryLog, tokenOf } from '../sentry.ts';

const HERE = 'e2e-identity';
const OTHER = 'e2e-identity-other';

let sentry: SentryTunnel;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await namespace(OTHER);
  await deploy({ name: 'web', namespace: HERE, annotations: meshed('web') });
  await deploy({ name: 'orders', namespace: HERE, annotations: meshed('orders') });
  await deploy({ name: 'web', namespace: OTHER, annotations: meshed('web') });
  sentry = await openSentryTunnel();
});

afterAll(() => sentry?.close());

function identity(app: string, where = HERE): Identity {
  return identityOf(app, where);
}

async function expectRefused(token: string, wanted: Identity, reason: RegExp): Promise<void> {
  const outcome = await sentry.ask(token, wanted);
  expect(outcome.ok ? 'a certificate' : outcome.error.message).toMatch(reason);
  await until(
    'the audit line',
    async () => {
      const lines = (await sentryLog()).split('\n').filter((line) => /refused/.test(line));
      return lines.some((line) => reason.test(line)) || undefined;
    },
    20_000,
  );
}

describe('a certificate', () => {
  test("is given for the pod's own identity, with an audit line", async () => {
    const web = await aPod(HERE, 'invoke.io/app-id=web');
    const outcome = await sentry.ask(await tokenOf(web.metadata.name, HERE), identity('web'));
    expect(outcome.ok || outcome.error).toBe(true);
    expect(await sentryLog()).toMatch(new RegExp(`certificate issued.*spiffe://cluster.local/ns/${HERE}/web`));
  });

  test("is refused for an id that is not the pod's", async () => {
    const web = await aPod(HERE, 'invoke.io/app-id=web');
    const token = await tokenOf(web.metadata.name, HERE);
    await expectRefused(token, identity('orders'), /orders/);
    await expectRefused(token, identity('invoke-operator'), /invoke-operator/);
  });

  test("is refused to a token of another namespace's pod", async () => {
    const there = await aPod(OTHER, 'invoke.io/app-id=web');
    await expectRefused(await tokenOf(there.metadata.name, OTHER), identity('web', HERE), new RegExp(OTHER));
  });

  test('is refused to a token of another audience', async () => {
    const { metadata } = await aPod(HERE, 'invoke.io/app-id=web');
    const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', metadata.name, '--audience', 'somebody-else'];
    const token = (await kubectl('create', 'token', 'default', '-n', HERE, ...bound)).trim();
    await expectRefused(token, identity('web'), /token/);
  });

  test('is refused to a token that is bound to no pod', async () => {
    await expectRefused(await looseToken(HERE), identity('web'), /pod/);
  });

  test('is refused to an altered token', async () => {
    const { metadata } = await aPod(HERE, 'invoke.io/app-id=web');
    const token = await tokenOf(metadata.name, HERE);
    await expectRefused(`${token.slice(0, -6)}AAAAAA`, identity('web'), /token/);
  });

  test("is refused to a deleted pod's token", async () => {
    const { metadata } = await aPod(HERE, 'invoke.io/app-id=orders');
    const token = await tokenOf(metadata.name, HERE);
    await kubectl('delete', 'pod', metadata.name, '-n', HERE, '--timeout=60s');
    await expectRefused(token, identity('orders'), /token|pod/);
  });
});

describe("the operator's account", () => {
  const as = ['--as', `system:serviceaccount:${CONTROL_PLANE}:invoke-operator`];

  test('cannot read the authority', async () => {
    expect(await refused(['get', 'secret', 'invoke-ca', '-n', CONTROL_PLANE, ...as])).toMatch(/forbidden/i);
    expect(await refused(['get', 'secrets', '-n', HERE, ...as])).toMatch(/forbidden/i);
  });

  test('cannot make or change a Service that is not ours', async () => {
    await kubectl('create', 'service', 'clusterip', 'theirs', '-n', HERE, '--tcp=80');
    const change = ['annotate', 'service', 'theirs', '-n', HERE, 'x=y'];
    expect(await refused([...change, ...as])).toMatch(/invoke|forbidden|denied/i);
    expect(await refused(['delete', 'service', 'theirs', '-n', HERE, ...as])).toMatch(/invoke|forbidden|denied/i);
    expect(await refused(['create', 'service', 'clusterip', 'more', '-n', HERE, '--tcp=80', ...as])).toMatch(
      /invoke|forbidden|denied/i,
    );
  });

  test('cannot make a Service of our name that takes an address', async () => {
    const metadata = {
      name: 'x-invoke',
      namespace: HERE,
      labels: { 'app.kubernetes.io/managed-by': 'invoke-operator' },
    };
    const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } };
    expect(await refused(['create', '-f', '-', ...as], JSON.stringify(service))).toMatch(/headless/i);
    const headless = { ...service, spec: { ...service.spec, clusterIP: 'None' } };
    const { status, stderr } = await run(
      'kubectl',
      ['create', '--dry-run=server', '-f', '-', ...as],
      JSON.stringify(headless),
    );
    expect([status, stderr]).toEqual([0, '']);
  });

  test('cannot make or change another ConfigMap', async () => {
    expect(await refused(['annotate', 'configmap', 'app', '-n', HERE, 'x=y', ...as])).toMatch(
      /invoke|forbidden|denied/i,
    );
    expect(await refused(['delete', 'configmap', 'app', '-n', HERE, ...as])).toMatch(/invoke|forbidden|denied/i);
    const create = ['create', 'configmap', 'more', '-n', HERE, '--from-literal=a=b', ...as];
    expect(await refused(create)).toMatch(/invoke|forbidden|denied/i);
  });
});

describe("the sentry's account", () => {
  const as = ['--as', `system:serviceaccount:${CONTROL_PLANE}:invoke-sentry`];

  test.each([
    ['get', 'secrets', '-n', HERE],
    ['create', 'configmap', 'x', '-n', HERE, '--from-literal=a=b'],
    ['delete', 'pod', 'x', '-n', HERE],
  ])('cannot %s %s', async (...args) => {
    expect(await refused([...args, ...as])).toMatch(/forbidden/i);
  });
});

test('three sentries agree on one authority', async () => {
  await kubectl('scale', 'deployment', 'invoke-sentry', '-n', CONTROL_PLANE, '--replicas=3');
  await kubectl('rollout', 'status', 'deployment/invoke-sentry', '-n', CONTROL_PLANE, '--timeout=120s');
  const { metadata } = await aPod(HERE, 'invoke.io/app-id=web');
  for (let i = 0; i < 6; i++) {
    await sentry.reopen();
    const outcome = await sentry.ask(await tokenOf(metadata.name, HERE), identity('web'));
    expect(outcome.ok || outcome.error).toBe(true);
  }
  await run('kubectl', ['scale', 'deployment', 'invoke-sentry', '-n', CONTROL_PLANE, '--replicas=1']);
});
