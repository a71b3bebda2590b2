// How soon an edit of a policy holds on a connection that is open, what of it the feed carries, and what each part keeps in memory:
// with one policy, and beside a thousand others in fifty namespaces. Printed, and not judged, but that it does hold.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aPod, namespace, pods } from '../apps.ts';
import { CONTROL_PLANE, ensureInstalled } from '../installation.ts';
import { apply, kubectl, listOf, type Manifest, run, until } from '../kubectl.ts';
import { deployStreams, openStream, type Place, streamOf } from '../streams.ts';
import { median, usage } from '../usage.ts';

const POLICIES = 1000;
const NAMESPACES = 50;
const EDITS = 5;

const teamOf = (i: number) => `e2e-team-${i % NAMESPACES}`;
const HERE = teamOf(0);
const TEAMS = Array.from({ length: NAMESPACES }, (_, i) => teamOf(i));

let web: Place;
beforeAll(async () => {
  await ensureInstalled();
  await namespace(HERE);
  await Promise.all(['orders', 'web'].map((app) => deployStreams(app, HERE, 'http')));
  web = { namespace: HERE, pod: (await aPod(HERE, 'invoke.io/app-id=web')).metadata.name };
});

afterAll(() => kubectl('delete', 'namespace', ...TEAMS, '--ignore-not-found', '--wait=false'));

test('an edit holds on an open connection, alone and beside a thousand policies of others', async () => {
  await measure('1 policy');
  await apply(...TEAMS.slice(1).map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })));
  await create(Array.from({ length: POLICIES }, (_, i) => someonesPolicy(i)));
  const stored = 'invoke_operator_store_objects{store="access-policies"}';
  await until('the operator to know them', async () => (await operatorSays(stored)) > POLICIES);
  await measure(`${POLICIES + 1} policies in ${NAMESPACES} namespaces`);
});

async function measure(size: string): Promise<void> {
  const [bytes, messages] = ['invoke_feed_sent_bytes_total', 'invoke_feed_messages_total'];
  const tookMs: number[] = [];
  await apply(edited('allow'));
  const before = [await operatorSays(bytes), await operatorSays(messages)];
  for (let edit = 0; edit < EDITS; edit++) tookMs.push(await msToDeny(`${size}, ${edit}`));
  const sent = [await operatorSays(bytes), await operatorSays(messages)].map((after, i) => after - (before[i] ?? 0));
  console.log(`${size}:`);
  console.log(
    `  an edit denies calls on an open connection ${median(tookMs)} ms after kubectl began, median of ${EDITS}; ${Math.max(...tookMs)} ms at most`,
  );
  console.log(
    `  the feed: ${sent[1]} messages of ${sent[0]} bytes in all for ${EDITS * 2} edits, to all sidecars there are`,
  );
  for (const [part, where, container] of PARTS) {
    const { metadata } = await aPod(where, part);
    console.log(`  ${container}: ${(await usage(where, metadata.name, container)).rssMib} MiB resident`);
  }
}

const OPERATOR = 'app.kubernetes.io/name=invoke-operator';
const PARTS = [
  [OPERATOR, CONTROL_PLANE, 'operator'],
  ['app.kubernetes.io/name=invoke-sentry', CONTROL_PLANE, 'sentry'],
  ['invoke.io/app-id=orders', HERE, 'invoke-sidecar'],
] as const;

/** From the start of `kubectl apply` to the first call that is denied, by the clocks of one machine. */
async function msToDeny(name: string): Promise<number> {
  await openStream(web, name, 'calls', `orders.${HERE}`);
  await until('the first calls', async () => (await streamOf(web, name)).count > 3);
  const beganMs = Date.now();
  await apply(edited('deny'));
  const { endedMs = 0, ended } = await until('the row of calls to end', async () => {
    const stream = await streamOf(web, name);
    return stream.ended !== undefined && stream;
  });
  expect(ended).toMatch(/^403 /);
  await apply(edited('allow'));
  await until('calls to pass again', async () => {
    await openStream(web, `${name} again`, 'calls', `orders.${HERE}`);
    return (await streamOf(web, `${name} again`)).ended === undefined;
  });
  return endedMs - beganMs;
}

function edited(action: 'allow' | 'deny'): Manifest {
  return accessPolicy(HERE, 'edited', ['orders'], [{ name: 'calls', action, to: [{ paths: ['/calls'] }] }]);
}

/** About apps that are not there: those of a sidecar's own namespace are what it might have been sent. */
function someonesPolicy(i: number): Manifest {
  const rules = Array.from({ length: 3 }, (_, n) => ({
    name: `rule-${n}`,
    from: [{ app: `caller-${i}`, namespace: teamOf(n) }],
    to: [{ methods: ['GET', 'POST'], paths: [`/v1/things-${i}/{id}`, `/v1/things-${i}/**`] }],
  }));
  return accessPolicy(teamOf(i), `policy-${i}`, i % NAMESPACES === 0 ? ['orders'] : [`app-${i}`], rules);
}

function accessPolicy(where: string, name: string, apps: readonly string[], rules: readonly object[]): Manifest {
  const metadata = { name, namespace: where };
  return { apiVersion: 'invoke.io/v1alpha1', kind: 'AccessPolicy', metadata, spec: { apps, rules } };
}

/** One request each, where `kubectl apply` takes two. */
async function create(objects: readonly Manifest[]): Promise<void> {
  const { status, stderr } = await run('kubectl', ['create', '-f', '-'], listOf(objects));
  if (status !== 0) throw new Error(stderr);
}

/** Of all replicas together. */
async function operatorSays(metric: string): Promise<number> {
  let sum = 0;
  for (const { metadata } of await pods(CONTROL_PLANE, OPERATOR)) {
    const path = `/api/v1/namespaces/${CONTROL_PLANE}/pods/${metadata.name}:9090/proxy/metrics`;
    const page = await kubectl('get', '--raw', path);
    const line = page.split('\n').find((one) => one.startsWith(`${metric} `));
    sum += Number(line?.split(' ').at(-1) ?? 0);
  }
  return sum;
}
