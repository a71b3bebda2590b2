// One authority for all replicas, over an API server that speaks HTTP: one root, never a second in silence, anchors that
// heal, an issuer that is replaced in good order.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseNamespace, parseTrustDomain } from '../../api/ids.ts';
import { createLog, type Log } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { type ApiServer, startApiServer } from '../../kube/testing/api-server.ts';
import { CONFIG_MAPS, SECRETS } from '../../kube/types.ts';
import { ISSUER_LIFE_MS } from './lifetime.ts';
import { publishedAnchors } from './published.ts';
import { type Replica, type ReplicaState, startReplica } from './replica.ts';
import { secretStore } from './secret-store.ts';
import { PREPARED_MS } from './steps.ts';

const trustDomain = must(parseTrustDomain('cluster.local'));
const namespace = must(parseNamespace('invoke-system'));
const DAY_MS = 24 * 3_600_000;

let api: ApiServer;
let clock: ManualClock;
let log: Log;
let lines: string[];
let replicas: Replica[];
beforeEach(async () => {
  api = await startApiServer();
  clock = manualClock();
  lines = [];
  log = createLog({ level: 'info', format: 'text', write: (line) => lines.push(line), now: clock.now });
  replicas = [];
  putSecret({});
});
afterEach(async () => {
  for (const replica of replicas) replica.stop();
  await api.stop();
});

type Texts = Readonly<Record<string, string>>;

function putSecret(texts: Texts): void {
  const data = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
  );
  api.put(SECRETS, { metadata: { name: 'invoke-ca', namespace, labels: { app: 'invoke' } }, data });
}

function stored(): Texts {
  const data = api.object(SECRETS, 'invoke-ca', namespace)?.data ?? {};
  return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text, 'base64').toString()]));
}

const anchors = () => api.object(CONFIG_MAPS, 'invoke-trust-bundle', namespace)?.data?.['trust-anchors.crt'];

function putAnchors(text: string): void {
  api.put(CONFIG_MAPS, { metadata: { name: 'invoke-trust-bundle', namespace }, data: { 'trust-anchors.crt': text } });
}

function start({ isLeader = () => false }: { isLeader?: () => boolean } = {}): Replica {
  const store = secretStore({ kube: api.kube, namespace, name: 'invoke-ca', trustDomain });
  const published = publishedAnchors(api.kube, namespace);
  const replica = startReplica({ store, published, isLeader, trustDomain, clock, log });
  replicas.push(replica);
  return replica;
}

/** What the next look finds. */
function looked(replica: Replica): Promise<ReplicaState> {
  return new Promise((settle) => {
    const cancel = replica.state.changed((state) => {
      cancel();
      settle(state);
    });
  });
}

function lookAgain(replica: Replica): Promise<ReplicaState> {
  const next = looked(replica);
  clock.advance(10_000);
  return next;
}

const rootOf = (replica: Replica) => replica.authority()?.root.fingerprint256;
const issuerOf = async (replica: Replica) =>
  must((await replica.authority()?.issuer(clock.now())) ?? { ok: false, error: 'none' });

test('the first replica fills the empty Secret and publishes its anchors; what else is in it stays', async () => {
  putSecret({ note: 'mine' });
  const replica = start();
  expect(await looked(replica)).toMatchObject({ kind: 'held', problem: undefined });
  expect(Object.keys(stored()).sort()).toEqual(['issuer.crt', 'issuer.key', 'note', 'root.crt', 'root.key']);
  expect(anchors()).toBe(stored()['root.crt']);
  expect(replica.authority()?.anchorsPem).toBe(anchors());
  expect(api.object(SECRETS, 'invoke-ca', namespace)?.metadata?.labels).toEqual({ app: 'invoke' });
});

test('three replicas that start at once agree on one root and one issuer', async () => {
  const three = [start(), start(), start()];
  await Promise.all(three.map(looked));
  expect(new Set(three.map(rootOf)).size).toBe(1);
  expect(new Set(await Promise.all(three.map(async (one) => (await issuerOf(one)).certificatePem))).size).toBe(1);
  expect(lines.filter((line) => line.includes('a new root was made'))).toHaveLength(1);
});

test('of two who have both seen an empty Secret, the second takes what the first has made', async () => {
  const release = api.hold({ verb: 'replace', plural: 'secrets' });
  const both = [start(), start()];
  const states = Promise.all(both.map(looked));
  // Both have made a root of their own before either is written.
  while (api.requests.filter(({ verb }) => verb === 'replace').length < 2) await api.requested({ verb: 'replace' });
  release();
  await states;
  expect(rootOf(both[0] ?? start())).toBe(rootOf(both[1] ?? start()));
  expect(anchors()).toBe(stored()['root.crt']);
});

test.each(['configmaps', 'secrets'])(
  'one that is filled and published in the middle of a look (%s) is not taken for lost',
  async (plural) => {
    const made = await anotherAuthority();
    const release = api.hold({ verb: 'get', plural });
    const asked = api.requested({ verb: 'get', plural });
    const replica = start();
    const state = looked(replica);
    await asked;
    putSecret(made);
    putAnchors(made['root.crt'] ?? '');
    release();
    expect(await state).toMatchObject({ kind: 'held' });
    expect(replica.authority()?.anchorsPem).toBe(made['root.crt']);
  },
);

test('an empty Secret beside published anchors is a lost authority: nothing is made until it is restored', async () => {
  await looked(start());
  const backup = stored();
  const published = anchors();
  putSecret({});
  const replica = start();
  expect(await looked(replica)).toMatchObject({
    kind: 'waiting',
    reason: expect.stringMatching(
      /Secret invoke-system\/invoke-ca is empty, but .*invoke-trust-bundle holds.* lost\. Restore .*docs\/certificate-authority\.md/,
    ),
  });
  expect(replica.authority()).toBeUndefined();
  expect([stored(), anchors()]).toEqual([{}, published]);
  putSecret(backup);
  expect(await lookAgain(replica)).toMatchObject({ kind: 'held' });
  expect(replica.authority()?.anchorsPem).toBe(published);
});

test('empty texts, as a template may render them, are an empty Secret', async () => {
  putSecret({ 'root.key': '', 'root.crt': '' });
  expect(await looked(start())).toMatchObject({ kind: 'held' });
});

test('without the Secret nothing is made, and the message says who makes it', async () => {
  api.remove(SECRETS, 'invoke-ca', namespace);
  expect(await looked(start())).toMatchObject({
    kind: 'waiting',
    reason: expect.stringMatching(/there is no Secret invoke-system\/invoke-ca; the chart makes it.*helm upgrade/),
  });
  expect(api.objects(SECRETS)).toEqual([]);
  expect(anchors()).toBeUndefined();
});

test.each<[string, (texts: Texts) => Texts, RegExp]>([
  ['a key is gone', ({ 'root.key': _, ...rest }) => rest, /holds root\.crt but not root\.key.*Restore/],
  ['the root is gone', ({ 'root.key': _, 'root.crt': __, ...rest }) => rest, /holds issuer\.key but not root\.key and/],
  ['a certificate is garbage', (texts) => ({ ...texts, 'issuer.crt': 'x' }), /issuer\.crt in the Secret .* is damaged/],
  ['the phases are garbage', (texts) => ({ ...texts, 'phases.json': '{"issuer":3}' }), /phases\.json in .* is damaged/],
  [
    'a prepared issuer is gone',
    (texts) => ({ ...texts, 'phases.json': '{"issuer":{"phase":"prepared","since":"2026-01-01T00:00:00.000Z"}}' }),
    /holds phases\.json but not issuer-2\.crt/,
  ],
])('where %s, a new replica signs nothing, and one that signs goes on and complains', async (_says, damage, reason) => {
  const first = start();
  await looked(first);
  const damaged = damage(stored());
  putSecret(damaged);
  expect(await looked(start())).toMatchObject({ kind: 'waiting', reason: expect.stringMatching(reason) });
  expect(await lookAgain(first)).toMatchObject({ kind: 'held', problem: expect.stringMatching(reason) });
  expect((await issuerOf(first)).certificatePem).toContain('CERTIFICATE');
  expect(stored()).toEqual(damaged);
});

test('an API server that is away keeps nobody from signing who could, and a new replica says what it waits for', async () => {
  const first = start();
  await looked(first);
  api.failNext(9, { status: 503, message: 'away' }, { plural: 'secrets' });
  expect(await lookAgain(first)).toMatchObject({ kind: 'held', problem: expect.stringContaining('away') });
  expect(await looked(start())).toMatchObject({ kind: 'waiting', reason: expect.stringContaining('away') });
});

test.each<[string, () => void]>([
  ['deleted', () => api.remove(CONFIG_MAPS, 'invoke-trust-bundle', namespace)],
  ['edited', () => putAnchors('mine')],
  ['emptied', () => putAnchors('')],
])('published anchors that were %s are put back', async (_says, harm) => {
  const replica = start();
  await looked(replica);
  const before = anchors();
  harm();
  await lookAgain(replica);
  expect(anchors()).toBe(before);
});

test('anchors that cannot be published keep a replica from signing', async () => {
  api.failNext(9, { status: 403 }, { plural: 'configmaps', verb: 'apply' });
  expect(await looked(start())).toMatchObject({
    kind: 'waiting',
    reason: expect.stringMatching(/ConfigMap.*cannot be written/),
  });
});

test('a Secret that is emptied under way is written back by the leader, and by nobody else', async () => {
  const follower = start();
  await looked(follower);
  const before = stored();
  putSecret({});
  expect(await lookAgain(follower)).toMatchObject({ kind: 'held' });
  expect(stored()).toEqual({});
  follower.stop();
  putSecret(before);
  const leader = start({ isLeader: () => true });
  await looked(leader);
  putSecret({});
  await lookAgain(leader);
  expect(stored()).toEqual(before);
  expect(lines.join('')).toContain('written back from memory');
});

test('an authority that is put in place of another is taken, and its anchors are published', async () => {
  const replica = start();
  await looked(replica);
  const [before, other] = [rootOf(replica), await anotherAuthority()];
  putSecret(other);
  await lookAgain(replica);
  expect(rootOf(replica)).not.toBe(before);
  expect(anchors()).toBe(other['root.crt']);
});

test('in the last third of its life the issuer is prepared by the leader, seen by all, and then activated', async () => {
  let leads = false;
  const [leader, follower] = [start({ isLeader: () => leads }), start()];
  await Promise.all([looked(leader), looked(follower)]);
  const first = await issuerOf(leader);
  clock.advance((ISSUER_LIFE_MS * 2) / 3 + DAY_MS);
  await Promise.all([lookAgain(leader), lookAgain(follower)]);
  expect(stored()['phases.json']).toBeUndefined();

  leads = true;
  await lookAgain(leader);
  expect(JSON.parse(stored()['phases.json'] ?? '')).toMatchObject({ issuer: { phase: 'prepared' } });
  const prepared = stored()['issuer-2.crt'];
  expect((await issuerOf(leader)).certificatePem).toBe(first.certificatePem);

  clock.advance(PREPARED_MS);
  await Promise.all([lookAgain(leader), lookAgain(follower)]);
  await lookAgain(follower);
  for (const replica of [leader, follower]) expect((await issuerOf(replica)).certificatePem).toBe(prepared);
  expect(Object.keys(stored()).sort()).toEqual(['issuer.crt', 'issuer.key', 'root.crt', 'root.key']);
  expect(anchors()).toBe(stored()['root.crt']);
});

test('an issuer that has expired signs nothing; the leader makes the next one at once', async () => {
  const first = start();
  await looked(first);
  clock.advance(ISSUER_LIFE_MS + DAY_MS);
  expect(await first.authority()?.issuer(clock.now())).toMatchObject({
    error: expect.stringMatching(/the clock here says/),
  });
  expect(await looked(start())).toMatchObject({
    kind: 'waiting',
    reason: expect.stringMatching(/issuer\.crt .*expired at/),
  });
  const leader = start({ isLeader: () => true });
  await looked(leader);
  expect((await issuerOf(leader)).certificatePem).toBe(stored()['issuer.crt']);
});

/** The state of an authority that was made elsewhere. */
async function anotherAuthority(): Promise<Texts> {
  const elsewhere = await startApiServer();
  elsewhere.put(SECRETS, { metadata: { name: 'invoke-ca', namespace } });
  const store = secretStore({ kube: elsewhere.kube, namespace, name: 'invoke-ca', trustDomain });
  const published = publishedAnchors(elsewhere.kube, namespace);
  const replica = startReplica({ store, published, isLeader: () => false, trustDomain, clock, log });
  await looked(replica);
  replica.stop();
  const data = elsewhere.object(SECRETS, 'invoke-ca', namespace)?.data ?? {};
  await elsewhere.stop();
  return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text, 'base64').toString()]));
}
