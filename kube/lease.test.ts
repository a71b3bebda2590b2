// Of several replicas at most one leads, by clocks that agree on nothing but how fast time goes.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../kit/log.ts';
import { type ManualClock, manualClock } from '../kit/testing/clock.ts';
import { type Candidacy, runForLeader } from './lease.ts';
import { type ApiServer, startApiServer } from './testing/api-server.ts';
import { LEASES } from './types.ts';

interface Replica {
  readonly clock: ManualClock;
  readonly candidacy: Candidacy;
  /** `elected`, `dismissed`, in order. */
  readonly story: string[];
  readonly log: string[];
  /** Lets the work end that was told to. */
  finish(): void;
  failWork(): void;
  /** Time goes on, and no timer runs. */
  standStill(ms: number): void;
}

let api: ApiServer;
let replicas: Replica[];

beforeEach(async () => {
  api = await startApiServer();
  replicas = [];
});
afterEach(async () => {
  for (const { candidacy, finish } of replicas) {
    finish();
    await candidacy.stop();
  }
  await api.stop();
});

/** `isSlow`: its work ends only when told to. */
function replica(identity: string, { wallClockMs = Date.UTC(2026), isSlow = false } = {}): Replica {
  const clock = manualClock(wallClockMs);
  const story: string[] = [];
  const log: string[] = [];
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const { promise: failed, reject } = Promise.withResolvers<void>();
  failed.catch(() => undefined);
  const elected = async (signal: AbortSignal) => {
    story.push('elected');
    const dismissed = new Promise((resolve) => signal.addEventListener('abort', resolve));
    await Promise.race([dismissed, failed]);
    story.push('dismissed');
    if (isSlow) await finished;
  };
  const options = { namespace: 'invoke-system', name: 'operator', identity };
  let stoodMs = 0;
  const deps = {
    clock: { ...clock, elapsed: () => clock.elapsed() + stoodMs },
    random: () => 0,
    log: createLog({ level: 'info', format: 'text', write: (line) => log.push(line), now: () => 0 }),
  };
  const candidacy = runForLeader(api.kube, options, { elected }, deps);
  const failWork = () => reject(new Error('a bug'));
  const standStill = (ms: number) => {
    stoodMs += ms;
  };
  const made = { clock, candidacy, story, log, finish, failWork, standStill };
  replicas.push(made);
  return made;
}

const poll = (read: () => unknown) => expect.poll(read, { interval: 5, timeout: 10_000 });
const lease = () => api.object(LEASES, 'operator', 'invoke-system');
const holder = () => lease()?.spec?.holderIdentity;

/** Lets a replica do its next round, and waits for its end. */
async function round({ clock }: Replica): Promise<void> {
  await rested(clock);
  clock.advance(2000);
  await rested(clock);
}

/** The wait for the next round is 2 s; while one is under way there is none such. */
async function rested(clock: ManualClock): Promise<void> {
  await poll(() => clock.waiting()[0]).toBe(2000);
}

test('the first to ask leads, and the second waits though its clock is far ahead', async () => {
  const a = replica('a');
  await poll(() => a.story).toEqual(['elected']);
  const b = replica('b', { wallClockMs: Date.UTC(2036) });
  for (let n = 0; n < 10; n += 1) {
    await round(a);
    await round(b);
  }
  expect(a.candidacy.isLeader()).toBe(true);
  expect(b.candidacy.isLeader()).toBe(false);
  expect(b.story).toEqual([]);
  expect(lease()?.spec).toMatchObject({
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    leaseTransitions: 0,
    acquireTime: '2026-01-01T00:00:00.000000Z',
    renewTime: '2026-01-01T00:00:20.000000Z',
  });
});

test('who stops lets its work end, then the next leads at once', async () => {
  const a = replica('a', { isSlow: true });
  await poll(() => a.story).toEqual(['elected']);
  const b = replica('b');
  await rested(b.clock);
  const stopped = a.candidacy.stop();
  expect(a.candidacy.isLeader()).toBe(false);
  await poll(() => a.story).toEqual(['elected', 'dismissed']);
  await round(b);
  expect(b.story).toEqual([]);
  a.finish();
  await stopped;
  expect(holder()).toBe('');
  await round(b);
  await poll(() => b.story).toEqual(['elected']);
  expect(lease()?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

test('who does not renew is replaced when its lease has run out by the clock of the other', async () => {
  const a = replica('a');
  await poll(() => a.story).toEqual(['elected']);
  const b = replica('b');
  await rested(b.clock);
  for (let n = 0; n < 7; n += 1) await round(b);
  expect(b.candidacy.isLeader()).toBe(false);
  await round(b);
  await poll(() => b.candidacy.isLeader()).toBe(true);
  // It wakes up, and finds the other.
  a.clock.advance(2000);
  await poll(() => a.story).toEqual(['elected', 'dismissed']);
  expect(holder()).toBe('b');
});

test.each(['silent', 'failing'])(
  'a leader that cannot renew (the API server is %s) steps down in time',
  async (how) => {
    const a = replica('a');
    await poll(() => a.story).toEqual(['elected']);
    await rested(a.clock);
    const release = how === 'silent' ? api.hold() : () => undefined;
    if (how === 'failing') api.failNext(6, 'reset');
    for (let n = 0; n < 9; n += 1) {
      a.clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(a.story).toEqual(['elected']);
    a.clock.advance(1000);
    await poll(() => a.story).toEqual(['elected', 'dismissed']);
    expect(a.candidacy.isLeader()).toBe(false);
    expect(a.log.join('')).toMatch(/leads no more.*not renewed within 10 s/);
    release();
  },
);

test('a leader does not believe itself to lead when its own timers are late', async () => {
  const clock = manualClock();
  const late = {
    ...clock,
    after: (ms: number, task: () => void) => (ms === 0 ? clock.after(ms, task) : () => undefined),
  };
  const deps = {
    clock: late,
    random: () => 0,
    log: createLog({ level: 'error', format: 'text', write: () => undefined, now: () => 0 }),
  };
  const options = { namespace: 'invoke-system', name: 'operator', identity: 'a' };
  const candidacy = runForLeader(api.kube, options, { elected: async () => undefined }, deps);
  await poll(() => candidacy.isLeader()).toBe(true);
  clock.advance(9_999);
  expect(candidacy.isLeader()).toBe(true);
  clock.advance(1);
  expect(candidacy.isLeader()).toBe(false);
  await candidacy.stop();
});

test('a leader that stood still while its renewal was under way leads no more', async () => {
  const a = replica('a');
  await poll(() => a.story).toEqual(['elected']);
  await rested(a.clock);
  const release = api.hold();
  a.clock.advance(2000);
  await poll(() => api.requests.length).toBe(3);
  a.standStill(10_000);
  release();
  await poll(() => a.story).toEqual(['elected', 'dismissed']);
});

test('an answer that comes when the term is over begins no other', async () => {
  const a = replica('a');
  await poll(() => a.story).toEqual(['elected']);
  await rested(a.clock);
  const release = api.hold();
  a.clock.advance(2000);
  await poll(() => api.requests.length).toBe(3);
  a.clock.advance(5000);
  await rested(a.clock);
  a.clock.advance(2000);
  await poll(() => api.requests.length).toBe(4);
  a.clock.advance(1000);
  await poll(() => a.story).toEqual(['elected', 'dismissed']);
  await rested(a.clock);
  release();
  // The second renewal conflicts with the first, so it looks at the lease; it would write it next.
  await poll(() => api.requests.filter(({ verb }) => verb === 'get').length).toBe(2);
  for (let n = 0; n < 5; n += 1) await api.kube.get(LEASES, 'operator', 'invoke-system');
  expect(a.story).toEqual(['elected', 'dismissed']);
  a.clock.advance(2000);
  await poll(() => a.story).toEqual(['elected', 'dismissed', 'elected']);
});

test('who was stopped while it looked at the lease does not take it', async () => {
  const release = api.hold({ verb: 'get' });
  const a = replica('a');
  await poll(() => api.requests.length).toBe(1);
  const stopped = a.candidacy.stop();
  a.clock.advance(5000);
  await poll(() => api.requests.length).toBe(2);
  release();
  await stopped;
  await api.kube.get(LEASES, 'operator', 'invoke-system');
  expect(api.requests.map(({ verb }) => verb)).toEqual(['get', 'get', 'get']);
});

test('an edit by somebody else does not end a term, another holder does', async () => {
  const a = replica('a');
  await poll(() => a.story).toEqual(['elected']);
  const edited = { ...lease(), metadata: { name: 'operator', namespace: 'invoke-system', labels: { x: 'y' } } };
  api.put(LEASES, edited);
  await round(a);
  await round(a);
  expect(a.story).toEqual(['elected']);
  expect(lease()?.metadata?.labels).toEqual({ x: 'y' });
  api.put(LEASES, { ...lease(), spec: { holderIdentity: 'z', leaseDurationSeconds: 15 } });
  a.clock.advance(2000);
  await poll(() => a.story).toEqual(['elected', 'dismissed']);
  expect(holder()).toBe('z');
});

test('a lease that somebody deleted is made again', async () => {
  const a = replica('a');
  await poll(() => a.story).toEqual(['elected']);
  api.remove(LEASES, 'operator', 'invoke-system');
  await round(a);
  expect(holder()).toBe('a');
  expect(a.story).toEqual(['elected']);
});

test('of two who see a free lease at the same time one leads', async () => {
  const release = api.hold({ verb: 'create' });
  const both = [replica('a'), replica('b')];
  await poll(() => api.requests.filter(({ verb }) => verb === 'create').length).toBe(2);
  release();
  await poll(() => both.filter(({ candidacy }) => candidacy.isLeader()).length).toBe(1);
  for (const { clock } of both) await rested(clock);
  expect(both.filter(({ candidacy }) => candidacy.isLeader())).toHaveLength(1);
});

test('a replica whose work fails leads no more, and says why', async () => {
  const a = replica('a');
  await poll(() => a.story).toEqual(['elected']);
  a.failWork();
  await poll(() => a.candidacy.isLeader()).toBe(false);
  expect(a.log.join('')).toMatch(/work of the leader failed.*a bug/);
});

test('who stops before it led leaves the lease alone', async () => {
  const a = replica('a');
  await poll(() => a.story).toEqual(['elected']);
  const b = replica('b');
  await rested(b.clock);
  await b.candidacy.stop();
  expect(holder()).toBe('a');
  expect(b.clock.waiting()).toEqual([]);
});
