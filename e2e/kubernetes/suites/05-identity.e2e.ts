// Who gets which certificate, and what the control plane itself may do.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Identity, parseAppId, parseNamespace, parseTrustDomain } from '../../../api/ids.ts';
import { requestCertificate, type SentryFailure } from '../../../identity/sentry-client.ts';
import type { Credentials } from '../../../identity/svid.ts';
import { systemClock } from '../../../kit/clock.ts';
import { must, type Result } from '../../../kit/result.ts';
import { aPod, deploy, meshed, namespace } from '../apps.ts';
import { CONTROL_PLANE, ensureInstalled } from '../installation.ts';
import { kubectl, refused, run, until } from '../kubectl.ts';

const HERE = 'e2e-identity';
const OTHER = 'e2e-identity-other';
const AUDIENCE = `spiffe://cluster.local/ns/${CONTROL_PLANE}/invoke-sentry`;

let folder: string;
let tunnel: ChildProcess;
let port: number;

beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await namespace(OTHER);
  await deploy({ name: 'web', namespace: HERE, annotations: meshed('web') });
  await deploy({ name: 'orders', namespace: HERE, annotations: meshed('orders') });
  await deploy({ name: 'web', namespace: OTHER, annotations: meshed('web') });
  folder = mkdtempSync(join(tmpdir(), 'e2e-identity-'));
  const anchors = ['get', 'configmap', 'invoke-trust-bundle', '-n', HERE, '-o', 'jsonpath={.data.trust-anchors\\.crt}'];
  writeFileSync(join(folder, 'anchors'), await kubectl(...anchors));
  ({ tunnel, port } = await openTunnel());
});

afterAll(() => {
  tunnel?.kill();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** To the sentry, which proves itself by its certificate, whatever the address. */
function openTunnel(): Promise<{ tunnel: ChildProcess; port: number }> {
  const child = spawn('kubectl', ['port-forward', '-n', CONTROL_PLANE, 'service/invoke-sentry', ':50001']);
  return new Promise((settle, fail) => {
    child.once('exit', () => fail(new Error('kubectl port-forward ended')));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const found = /127\.0\.0\.1:(\d+)/.exec(text);
      if (found) settle({ tunnel: child, port: Number(found[1]) });
    });
  });
}

function identity(app: string, where = HERE): Identity {
  const trustDomain = must(parseTrustDomain('cluster.local'));
  return { app: must(parseAppId(app)), namespace: must(parseNamespace(where)), trustDomain };
}

/** What the sentry says to whoever brings this token and asks for that identity. */
function ask(token: string, wanted: Identity): Promise<Result<Credentials, SentryFailure>> {
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, token);
  const files = { trustAnchorsFile: join(folder, 'anchors'), tokenFile };
  const tokenOf = { tokenKind: 'kubernetes', sentryNamespace: must(parseNamespace(CONTROL_PLANE)) } as const;
  const endpoint = { kind: 'tls', host: '127.0.0.1', port, ...files, ...tokenOf } as const;
  return new Promise(
    (settle) => void requestCertificate(endpoint, wanted, { clock: systemClock, timeoutMs: 10_000 }, settle),
  );
}

async function tokenOf(pod: string, where: string, ...more: readonly string[]): Promise<string> {
  const bound = ['--bound-object-kind', 'Pod', '--bound-object-name', pod, '--audience', AUDIENCE];
  return (await kubectl('create', 'token', 'default', '-n', where, ...bound, ...more)).trim();
}

function sentryLog(): Promise<string> {
  return kubectl('logs', '-n', CONTROL_PLANE, '-l', 'app.kubernetes.io/name=invoke-sentry', '--tail=200');
}

async function expectRefused(token: string, wanted: Identity, reason: RegExp): Promise<void> {
  const outcome = await ask(token, wanted);
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
    const outcome = await ask(await tokenOf(web.metadata.name, HERE), identity('web'));
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
    const token = (await kubectl('create', 'token', 'default', '-n', HERE, '--audience', AUDIENCE)).trim();
    await expectRefused(token, identity('web'), /pod/);
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
    tunnel.kill();
    ({ tunnel, port } = await openTunnel());
    const outcome = await ask(await tokenOf(metadata.name, HERE), identity('web'));
    expect(outcome.ok || outcome.error).toBe(true);
  }
  await run('kubectl', ['scale', 'deployment', 'invoke-sentry', '-n', CONTROL_PLANE, '--replicas=1']);
});
