// Who is picked: the better of two, nobody who is left alone, few keys moved; and how those who failed come back.
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { runs } from '../../../kit/testing/runs.ts';
import type { Report } from '../eject.ts';
import { type BalancingPlan, BUILT_IN, type EjectionPlan } from '../plan.ts';
import { seeded } from '../testing/plans.ts';
import { NOBODY } from '../watch.ts';
import type { Instance, Member } from './member.ts';
import { Pool } from './pool.ts';

const some = (count: number, more: Partial<Instance> = {}, from = 0): Instance[] =>
  Array.from({ length: count }, (_, number) => ({ host: `10.0.0.${from + number}`, port: 1, ...more }));

interface Options {
  readonly balancing?: Partial<BalancingPlan>;
  readonly ejection?: Partial<EjectionPlan>;
  readonly zone?: string;
  readonly seed?: number;
}

function poolOf(instances: readonly Instance[], { balancing, ejection, zone, seed = 1 }: Options = {}): Pool {
  const options = {
    balancing: { ...BUILT_IN.balancing, ...balancing } as BalancingPlan,
    ejection: { ...BUILT_IN.ejection, ...ejection },
    random: seeded(seed),
    ...(zone !== undefined && { zone }),
  };
  const pool = new Pool(options, 0);
  pool.update(instances, 0);
  return pool;
}

let nowMs: number;
beforeEach(() => {
  nowMs = 0;
});

function picked(pool: Pool, request?: Parameters<Pool['pick']>[1]): Member {
  const member = pool.pick(nowMs, request);
  if (member === undefined) throw new Error('nobody was picked');
  return member;
}

/** How many calls each host got, of so many, one after the other. */
function shares(pool: Pool, calls: number, report: (host: string) => Report = () => 'success', tookMs = () => 1) {
  const counts: Record<string, number> = {};
  for (let call = 0; call < calls; call++) {
    const member = picked(pool);
    const { host } = member.instance;
    counts[host] = (counts[host] ?? 0) + 1;
    pool.done(member, report(host), nowMs, tookMs());
  }
  return counts;
}

const failing =
  (bad: string, how: Report = 'failure') =>
  (host: string) =>
    host === bad ? how : 'success';

describe('each algorithm', () => {
  test('round-robin takes turns', () => {
    const counts = shares(poolOf(some(5), { balancing: { algorithm: 'round-robin' } }), 50);
    expect(Object.values(counts)).toEqual([10, 10, 10, 10, 10]);
  });

  test('random spreads', () => {
    for (const count of Object.values(shares(poolOf(some(5), { balancing: { algorithm: 'random' } }), 5000)))
      expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test('least-request goes to the one with fewer calls in flight', () => {
    const pool = poolOf(some(2), { balancing: { algorithm: 'least-request' } });
    const first = picked(pool);
    const second = picked(pool);
    expect(second).not.toBe(first);
    pool.done(first, 'success', 0, 1);
    expect(picked(pool)).toBe(first);
  });

  test('peak-ewma leaves a slow one alone, and comes back when it is fast again', () => {
    const pool = poolOf(some(2));
    const slow = picked(pool);
    const fast = picked(pool);
    pool.done(slow, 'success', nowMs, 1000);
    pool.done(fast, 'success', nowMs, 10);
    for (let call = 0; call < 50; call++) {
      const member = picked(pool);
      expect(member).toBe(fast);
      pool.done(member, 'success', nowMs, 10);
    }
    nowMs = 120_000;
    const both = new Set<Member>();
    for (let call = 0; call < 4; call++) {
      const member = picked(pool);
      both.add(member);
      pool.done(member, 'success', nowMs, 10);
      nowMs += 20_000;
    }
    expect(both.size).toBe(2);
  });

  test('peak-ewma does not take a quick failure for a quick answer', () => {
    const pool = poolOf(some(2), { ejection: { enabled: false } });
    const counts = shares(pool, 100, failing('10.0.0.0'), () => 20);
    expect(counts['10.0.0.0'] ?? 0).toBeLessThan(5);
  });

  test('one that has not answered yet gets one call and not all', () => {
    const pool = poolOf(some(2));
    const [a, b] = [picked(pool), picked(pool)];
    expect(a).not.toBe(b);
    pool.done(a, 'success', nowMs, 10);
    for (let call = 0; call < 10; call++) expect(picked(pool)).toBe(a);
  });
});

describe('consistent hashing', () => {
  const hashing: Partial<BalancingPlan> = { algorithm: 'consistent-hash', hashHeader: 'x-user' };
  const home = (pool: Pool, key: string) => {
    const member = picked(pool, { hashKey: key });
    pool.done(member, 'success', nowMs, 1);
    return member.instance.host;
  };

  test('a key stays where it is, and few move when one comes or goes', () => {
    const keys = Array.from({ length: 2000 }, (_, number) => `user-${number}`);
    const pool = poolOf(some(20), { balancing: hashing });
    const before = keys.map((key) => home(pool, key));
    expect(keys.map((key) => home(pool, key))).toEqual(before);
    pool.update(some(21), nowMs);
    const moved = keys.filter((key, at) => home(pool, key) !== before[at]).length;
    expect(moved).toBeLessThan((keys.length / 21) * 1.6);
    pool.update(some(20), nowMs);
    expect(keys.map((key) => home(pool, key))).toEqual(before);
  });

  test('only keys of the one that left move', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 50 }), fc.nat(9), (keys, gone) => {
        const pool = poolOf(some(10), { balancing: hashing });
        const before = keys.map((key) => home(pool, key));
        pool.update(
          some(10).filter((_, at) => at !== gone),
          nowMs,
        );
        for (const [at, key] of keys.entries())
          if (before[at] !== `10.0.0.${gone}`) expect(home(pool, key)).toBe(before[at]);
      }),
      runs(30),
    );
  });

  test('no member has much more than its share of the calls in flight, though all have one key', () => {
    const pool = poolOf(some(4), { balancing: hashing });
    const inFlight: Record<string, number> = {};
    for (let call = 0; call < 100; call++) {
      const { host } = picked(pool, { hashKey: 'same' }).instance;
      inFlight[host] = (inFlight[host] ?? 0) + 1;
    }
    expect(Math.max(...Object.values(inFlight))).toBeLessThanOrEqual(Math.ceil((1.25 * 101) / 4));
  });

  test('a call without the header goes anywhere', () => {
    expect(Object.keys(shares(poolOf(some(4), { balancing: hashing }), 100))).toHaveLength(4);
  });
});

describe('an instance that fails', () => {
  const ejecting: Options = {
    balancing: { algorithm: 'round-robin' },
    ejection: { consecutiveFailures: 3, baseMs: 1000 },
  };
  const BAD = '10.0.0.1';

  test('is ejected after so many failures in a row, probed by one call, and back when that succeeds', () => {
    const pool = poolOf(some(3), ejecting);
    expect(shares(pool, 30, failing(BAD))[BAD]).toBe(3);
    nowMs = 999;
    expect(shares(pool, 30)[BAD]).toBe(undefined);
    nowMs = 1000;
    const probe = picked(pool);
    expect(probe.instance.host).toBe(BAD);
    expect(shares(pool, 30)[BAD]).toBe(undefined);
    pool.done(probe, 'success', nowMs, 1);
    expect(shares(pool, 30)[BAD]).toBe(10);
  });

  test('is left alone for twice as long each time its probe fails, up to the longest', () => {
    const pool = poolOf(some(3), { ...ejecting, ejection: { consecutiveFailures: 3, baseMs: 1000, maxMs: 3000 } });
    shares(pool, 30, failing(BAD));
    for (const waitMs of [1000, 2000, 3000, 3000]) {
      nowMs += waitMs - 1;
      expect(shares(pool, 9, failing(BAD))[BAD]).toBe(undefined);
      nowMs += 1;
      expect(shares(pool, 9, failing(BAD))[BAD]).toBe(1);
    }
  });

  test('is probed by another call, if nobody heard the end of the first', () => {
    const pool = poolOf(some(3), ejecting);
    shares(pool, 30, failing(BAD));
    nowMs = 1000;
    pool.done(picked(pool), 'unknown', nowMs);
    expect(picked(pool).instance.host).toBe(BAD);
  });

  test('a retry is no probe', () => {
    const pool = poolOf(some(3), ejecting);
    shares(pool, 30, failing(BAD));
    nowMs = 1000;
    expect(picked(pool, { tried: new Set() }).instance.host).not.toBe(BAD);
  });

  test('that turned a call away is set aside for five seconds, and comes back by itself', () => {
    const pool = poolOf(some(3), { balancing: { algorithm: 'round-robin' } });
    expect(shares(pool, 30, failing(BAD, 'turned-away'))[BAD]).toBe(1);
    nowMs = 4999;
    expect(shares(pool, 30)[BAD]).toBe(undefined);
    nowMs = 5000;
    expect(shares(pool, 30)[BAD]).toBe(10);
  });

  test('no more than a share of all are ejected, and never the only one', () => {
    const pool = poolOf(some(10), { ...ejecting, ejection: { consecutiveFailures: 1, maxPercent: 30 } });
    const isBad = (host: string) => Number(host.slice(7)) < 8;
    shares(pool, 200, (host) => (isBad(host) ? 'failure' : 'success'));
    expect(Object.keys(shares(pool, 200))).toHaveLength(7);
    const alone = poolOf(some(1), { ejection: { consecutiveFailures: 1, maxPercent: 100 } });
    expect(shares(alone, 10, () => 'failure')).toEqual({ '10.0.0.0': 10 });
  });

  test('is not ejected while nobody succeeds: an app that was down as a whole is back as a whole', () => {
    const pool = poolOf(some(10), { balancing: { algorithm: 'round-robin' } });
    shares(pool, 500, () => 'failure');
    expect(Object.keys(shares(pool, 10))).toHaveLength(10);
  });

  test('is ejected, too, when far fewer of its calls succeed than of those to the others', () => {
    const pool = poolOf(some(6), { balancing: { algorithm: 'round-robin' } });
    let call = 0;
    shares(pool, 180, (host) => (host === BAD && call++ % 2 === 0 ? 'failure' : 'success'));
    nowMs = 10_000;
    expect(shares(pool, 60)[BAD]).toBe(undefined);
  });

  test('a single failure among many is nothing', () => {
    const pool = poolOf(some(6), { balancing: { algorithm: 'round-robin' } });
    let call = 0;
    shares(pool, 180, (host) => (host === BAD && call++ === 0 ? 'failure' : 'success'));
    nowMs = 10_000;
    expect(shares(pool, 60)[BAD]).toBe(10);
  });
});

test('one that drains is left before it refuses', () => {
  const pool = poolOf(some(3), { balancing: { algorithm: 'round-robin' } });
  pool.update([...some(2), ...some(1, { isDraining: true }, 2)], nowMs);
  expect(Object.keys(shares(pool, 30)).toSorted()).toEqual(['10.0.0.0', '10.0.0.1']);
});

test('a call goes nowhere twice, and nobody is left when all were tried', () => {
  const pool = poolOf(some(3));
  const tried = new Set<Member>();
  for (let number = 0; number < 3; number++) tried.add(picked(pool, { tried }));
  expect(tried.size).toBe(3);
  expect(pool.pick(nowMs, { tried })).toBe(undefined);
  expect(poolOf([]).pick(nowMs)).toBe(undefined);
});

test('in its slow start a new instance gets a rising share', () => {
  const pool = poolOf(some(4), { balancing: { algorithm: 'random', slowStartMs: 10_000 } });
  nowMs = 60_000;
  pool.update(some(5), nowMs);
  const shareAfter = (ageMs: number) => {
    nowMs = 60_000 + ageMs;
    return shares(pool, 5000)['10.0.0.4'] ?? 0;
  };
  const [young, half, grown] = [shareAfter(0), shareAfter(5000), shareAfter(10_000)];
  expect(young).toBeLessThan(300);
  expect(half).toBeGreaterThan(young * 1.5);
  expect(grown).toBeGreaterThan(800);
});

describe('subsets', () => {
  const labelled = (track: string, from: number, count: number) =>
    some(count, { labels: new Map([['track', track]]) }, from);
  const subset = (name: string, weight: number) => ({ name, labels: new Map([['track', name]]), weight });
  const balancing = { subsets: [subset('stable', 95), subset('canary', 5)] };
  const isCanary = (host: string) => Number(host.slice(7)) >= 5;

  test('have their shares, whatever their sizes', () => {
    const pool = poolOf([...labelled('stable', 0, 5), ...labelled('canary', 5, 5)], { balancing });
    const counts = shares(pool, 10_000);
    const canary = Object.entries(counts).reduce((sum, [host, count]) => sum + (isCanary(host) ? count : 0), 0);
    expect(Math.abs(canary - 500)).toBeLessThan(100);
  });

  test('that are empty leave their share to the others; and where all are, everybody is called', () => {
    expect(Object.keys(shares(poolOf(labelled('canary', 5, 2), { balancing }), 100))).toHaveLength(2);
    expect(Object.keys(shares(poolOf(some(2), { balancing }), 100))).toHaveLength(2);
  });
});

describe('zones', () => {
  const both = [...some(3, { zone: 'a' }), ...some(3, { zone: 'b' }, 3)];
  const isNear = (host: string) => Number(host.slice(7)) < 3;

  test('the own one is preferred', () => {
    expect(Object.keys(shares(poolOf(both, { zone: 'a' }), 100)).every(isNear)).toBe(true);
  });

  test('and left where it has nobody, where policy says so, and where the own zone is not known', () => {
    for (const options of [{ zone: 'c' }, { zone: 'a', balancing: { zone: 'ignore' as const } }, {}])
      expect(Object.keys(shares(poolOf(both, options), 200))).toHaveLength(6);
  });

  test('calls spill over when too few of it are well, and when they have too much to do', () => {
    const draining = both.map((instance, at) => (at < 2 ? { ...instance, isDraining: true } : instance));
    const counts = shares(poolOf(draining, { zone: 'a' }), 1000);
    expect(counts['10.0.0.2']).toBeGreaterThan(300);
    expect(counts['10.0.0.2']).toBeLessThan(700);
    const busy = poolOf(both, { zone: 'a', balancing: { algorithm: 'least-request' } });
    const hosts = new Set(Array.from({ length: 30 }, () => picked(busy).instance.host));
    expect(hosts.size).toBe(6);
  });
});

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pick' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('done' as const),
      which: fc.nat(),
      report: fc.constantFrom<Report>('success', 'failure', 'failure', 'turned-away', 'unknown'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(15_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('update' as const), count: fc.nat(8), draining: fc.nat(8) }) },
);
const algorithm = fc.constantFrom('peak-ewma', 'least-request', 'round-robin', 'random', 'consistent-hash');

test('whatever happens, nobody who is left alone is picked while anybody is willing, but for a probe', () => {
  fc.assert(
    fc.property(algorithm, fc.nat(100), fc.array(step, { maxLength: 200 }), (name, maxPercent, steps) => {
      const balancing = { algorithm: name, hashHeader: 'x' } as Partial<BalancingPlan>;
      const pool = poolOf(some(5), { balancing, ejection: { consecutiveFailures: 2, maxPercent } });
      const known = new Set<Member>();
      const underWay: Member[] = [];
      nowMs = 0;
      for (const it of steps) {
        if (it.kind === 'wait') nowMs += it.ms;
        else if (it.kind === 'update')
          pool.update(
            some(it.count).map((one, at) => (at === it.draining ? { ...one, isDraining: true } : one)),
            nowMs,
          );
        else if (it.kind === 'done') {
          const [member] = underWay.splice(it.which % Math.max(underWay.length, 1), 1);
          if (member) pool.done(member, it.report, nowMs, 10);
        } else {
          const member = pool.pick(nowMs, { hashKey: `${underWay.length}` });
          if (member === undefined) continue;
          underWay.push(member);
          known.add(member);
          if (member.standing.kind === 'in' && !member.instance.isDraining) continue;
          if (member.standing.kind === 'probing' && member.standing.isUnderWay) continue;
          expect(pool.willing).toBe(0);
        }
        for (const member of known) expect(member.inFlight).toBe(underWay.filter((other) => other === member).length);
      }
    }),
    runs(300),
  );
});

test('a pick outside of the preferred zone is told of, and one inside is not', () => {
  let left = 0;
  const watch = { ...NOBODY, leftZone: () => void left++ };
  const { balancing, ejection } = BUILT_IN;
  const here = new Pool({ balancing, ejection, random: seeded(1), watch }, 0);
  here.update([...some(2, { zone: 'a' }), ...some(2, { zone: 'b' }, 2)], 0);
  here.pick(0);
  expect(left).toBe(0);
  here.setZone('a');
  const member = here.pick(0);
  expect([member?.instance.zone, left]).toEqual(['a', 0]);
  here.update(some(2, { zone: 'b' }, 2), 0);
  here.pick(0);
  expect(left).toBe(1);
});
