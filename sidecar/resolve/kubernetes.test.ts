// Names in a cluster: who is believed, the feed or DNS, and what holds when one of them or both fall silent. Both say what
// the test says, and the clock stands still until the test moves it; dns/dns.test.ts has the real name servers.
import { describe, expect, onTestFinished, test } from 'vitest';
import { err, ok } from '../../kit/result.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { claimed, pod, type TestFeed, testFeed, UNCLAIMED } from '../testing/feed.ts';
import type { DnsClient } from './dns/client.ts';
import type { Question } from './dns/message.ts';
import { openKubernetes } from './kubernetes.ts';
import { portsOf, settled, target, until } from './names.suite.ts';
import type { Names, Resolved } from './resolver.ts';

const ORDERS = target('orders', 'shop');

/** What DNS says to every question for now. */
type Says =
  | { readonly kind: 'pods'; readonly ports: readonly number[]; readonly ttlSec: number }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failure' }
  | { readonly kind: 'silence' };

interface TestDns extends DnsClient {
  says: Says;
  readonly asked: readonly Question[];
}

interface Cluster {
  readonly names: Names;
  readonly dns: TestDns;
  readonly feed: TestFeed;
  readonly clock: ManualClock;
}

function cluster(says: Says, { follows = true } = {}): Cluster {
  const [feed, clock] = [testFeed(), manualClock()];
  const dns = testDns(says, clock);
  const names = openKubernetes({ clusterDomain: 'cluster.local', dns, clock, random: () => 0.5 });
  if (follows) names.follow?.(feed);
  onTestFinished(() => names.close());
  return { names, dns, feed, clock };
}

function testDns(says: Says, clock: ManualClock): TestDns {
  const asked: Question[] = [];
  const dns: TestDns = {
    says,
    asked,
    async ask(question, endMs) {
      asked.push(question);
      const now = dns.says;
      if (now.kind === 'pods') return ok({ kind: 'records', ...records(question.name, now) });
      if (now.kind === 'nothing') return ok({ kind: 'nxdomain', ttlSec: 5 });
      if (now.kind === 'silence') await new Promise<void>((end) => void clock.after(endMs - clock.elapsed(), end));
      return err('the name server 10.96.0.10 cannot tell: it says nothing of use');
    },
  };
  return dns;
}

function records(name: string, { ports, ttlSec: ttl }: Extract<Says, { kind: 'pods' }>) {
  const targets = ports.map((port) => ({ port, target: `pod-${port}.test` }));
  return {
    answers: targets.map((data) => ({ type: 'SRV', name, ttl, data }) as const),
    additionals: targets.map(({ target }) => ({ type: 'A', name: target, ttl, data: '127.0.0.1' }) as const),
  };
}

function pods(ports: readonly number[], ttlSec = 5): Says {
  return { kind: 'pods', ports, ttlSec };
}

const NOTHING: Says = { kind: 'nothing' };
const FAILURE: Says = { kind: 'failure' };
const SILENCE: Says = { kind: 'silence' };

function faultOf(resolved: Resolved): string {
  return resolved.kind === 'found' ? 'found' : resolved.fault.code;
}

function messageOf(resolved: Resolved): string {
  return resolved.kind === 'found' ? 'found' : resolved.fault.message;
}

/** Moves the clock on, step by step, until the promise has settled: promises need a turn in between. */
async function passing<T>(clock: ManualClock, promise: Promise<T>, stepMs = 100): Promise<T> {
  let isSettled = false;
  void promise.then(() => {
    isSettled = true;
  });
  while (!isSettled) {
    clock.advance(stepMs);
    await new Promise((turn) => setImmediate(turn));
  }
  return promise;
}

describe('the first call to an app', () => {
  test('asks DNS for its headless Service and the feed for its endpoints, at once', async () => {
    const { names, dns, feed } = cluster(SILENCE);
    names.resolve(ORDERS);
    expect(dns.asked[0]).toMatchObject({
      name: '_invoke-peer._tcp.orders-invoke.shop.svc.cluster.local.',
      type: 'SRV',
    });
    expect([...feed.watched]).toEqual(['orders.shop']);
  });

  test('goes by DNS while the feed says nothing, and by the feed from when it speaks', async () => {
    const { names, feed } = cluster(pods([5001]));
    const resolved = await settled(names, ORDERS);
    if (resolved.kind !== 'found') return expect.fail(resolved.fault.message);
    const ports = () => resolved.upstream.endpoints().map(({ port }) => port);
    expect(ports()).toEqual([5001]);
    feed.say(ORDERS, claimed(pod(5002), pod(5003)));
    expect(ports()).toEqual([5002, 5003]);
  });

  test('goes by the feed while DNS says nothing', async () => {
    const { names, feed } = cluster(SILENCE);
    const ports = portsOf(names, ORDERS);
    feed.say(ORDERS, claimed(pod(5002)));
    expect(await ports).toEqual([5002]);
  });

  test.each([
    ['unknown-app', UNCLAIMED, 'invoke.io/app-id: orders'],
    ['no-endpoint', claimed(), 'it has no pod'],
    ['no-endpoint', claimed(pod(1, { serving: false })), 'its one pod is not ready'],
    ['no-endpoint', claimed(pod(1, { serving: false }), pod(2, { serving: false, terminating: true })), '2 pods'],
  ])('that DNS knows nothing of waits for the feed, which tells %s', async (code, said, words) => {
    const { names, feed } = cluster(NOTHING);
    const resolved = settled(names, ORDERS);
    await new Promise((answered) => setImmediate(answered));
    feed.say(ORDERS, said);
    expect(faultOf(await resolved)).toBe(code);
    expect(messageOf(await resolved)).toContain(words);
  });

  test('that DNS knows nothing of does not wait for a live feed for ever', async () => {
    const { names, clock } = cluster(NOTHING);
    const startMs = clock.elapsed();
    expect(faultOf(await passing(clock, settled(names, ORDERS)))).toBe('no-endpoint');
    expect(clock.elapsed() - startMs).toBe(5000);
    expect(faultOf(await passing(clock, settled(names, ORDERS)))).toBe('no-endpoint');
    expect(clock.elapsed() - startMs).toBeLessThan(5500);
  });

  test('that DNS knows nothing of is no-endpoint at once where the feed is lost: the app may well exist', async () => {
    const { names, feed } = cluster(NOTHING);
    feed.fallSilent('the operator is gone');
    const resolved = await settled(names, ORDERS);
    expect(faultOf(resolved)).toBe('no-endpoint');
    expect(messageOf(resolved)).toContain('the control plane would know, and it cannot be asked');
    expect(resolved.kind === 'absent' && resolved.fault.cause).toBe('the operator is gone');
  });

  test('that nobody answers ends within five seconds, and says so without an address', async () => {
    const { names, feed, clock } = cluster(SILENCE);
    feed.fallSilent('the operator is gone');
    const startMs = clock.elapsed();
    const resolved = await passing(clock, settled(names, ORDERS));
    expect(clock.elapsed() - startMs).toBeLessThanOrEqual(5000);
    expect(faultOf(resolved)).toBe('no-endpoint');
    expect(messageOf(resolved)).toContain('DNS does not answer');
    expect(messageOf(resolved)).not.toContain('10.96.0.10');
    expect(resolved.kind === 'absent' && resolved.fault.cause).toContain('the name server 10.96.0.10 cannot tell');
  });

  test('is one question, however many make it', async () => {
    const { names, dns } = cluster(pods([5001]));
    const all = await Promise.all(Array.from({ length: 20 }, () => portsOf(names, ORDERS)));
    expect(all).toEqual(Array(20).fill([5001]));
    expect(dns.asked).toHaveLength(1);
  });

  test('that was given up is not called back', async () => {
    const { names, dns } = cluster(pods([5001]));
    const resolution = names.resolve(ORDERS);
    if (resolution.kind !== 'miss') return expect.fail('known before anybody answered');
    resolution.wait(() => expect.fail('called back after the cancel'))();
    await settled(names, ORDERS);
    expect(dns.asked).toHaveLength(1);
  });
});

describe('the feed', () => {
  test('is believed against DNS, and DNS is not asked while it knows', async () => {
    const { names, feed, dns, clock } = cluster(pods([5001]));
    feed.say(ORDERS, claimed(pod(5002)));
    expect(await portsOf(names, ORDERS)).toEqual([5002]);
    clock.advance(60_000);
    expect(await portsOf(names, ORDERS)).toEqual([5002]);
    feed.say(ORDERS, UNCLAIMED);
    expect(faultOf(await settled(names, ORDERS))).toBe('unknown-app');
    expect(dns.asked).toHaveLength(0);
  });

  test('leads to pods that are ready; to those that end and still serve where no other is left', async () => {
    const { names, feed } = cluster(SILENCE);
    const ending = pod(5002, { terminating: true });
    feed.say(ORDERS, claimed(pod(5001), ending, pod(5003, { serving: false })));
    expect(await portsOf(names, ORDERS)).toEqual([5001]);
    feed.say(ORDERS, claimed(ending, pod(5003, { serving: false })));
    expect(await portsOf(names, ORDERS)).toEqual([5002]);
  });

  test('that is lost is followed by DNS, and what it said last stands in until DNS has answered', async () => {
    const { names, feed, dns, clock } = cluster(SILENCE);
    feed.say(ORDERS, claimed(pod(5002)));
    expect(await portsOf(names, ORDERS)).toEqual([5002]);
    feed.fallSilent('the operator is gone');
    expect(names.resolve(ORDERS).kind).toBe('found');
    expect(await portsOf(names, ORDERS)).toEqual([5002]);
    dns.says = pods([5001]);
    const answered = until(
      () => portsOf(names, ORDERS),
      ([port]) => port === 5001,
    );
    await passing(clock, answered);
  });

  test('that is lost together with DNS is remembered for five minutes, and no longer', async () => {
    const { names, feed, clock } = cluster(FAILURE);
    feed.say(ORDERS, claimed(pod(5002)));
    expect(await portsOf(names, ORDERS)).toEqual([5002]);
    feed.fallSilent('the operator is gone');
    const lostMs = clock.elapsed();
    const isFound = () => names.resolve(ORDERS).kind === 'found';
    while (clock.elapsed() - lostMs < 299_000) {
      expect(isFound()).toBe(true);
      clock.advance(500);
      await new Promise((turn) => setImmediate(turn));
    }
    while (isFound()) {
      clock.advance(500);
      await new Promise((turn) => setImmediate(turn));
    }
    expect(clock.elapsed() - lostMs).toBeLessThan(310_000);
    expect(faultOf(await passing(clock, settled(names, ORDERS)))).toBe('no-endpoint');
  });
});

function asksAgain(dns: TestDns): Promise<number> {
  const before = dns.asked.length;
  return until(
    () => dns.asked.length,
    (count) => count > before,
  );
}

describe('DNS alone', () => {
  const ask = (says: Says) => cluster(says, { follows: false });

  test('is asked again before its answer ends while the app is called, and calls do not wait for it', async () => {
    const { names, dns, clock } = ask(pods([5001], 10));
    expect(await portsOf(names, ORDERS)).toEqual([5001]);
    dns.says = pods([5002], 10);
    await passing(clock, asksAgain(dns));
    expect(clock.elapsed()).toBeLessThan(10_000);
    expect(names.resolve(ORDERS).kind).toBe('found');
    await until(
      () => portsOf(names, ORDERS),
      ([port]) => port === 5002,
    );
    expect(dns.asked).toHaveLength(2);
  });

  test.each([
    ['a TTL of 0 for a second', 0, 800, 1000],
    ['a TTL of a day for thirty seconds', 86_400, 24_000, 30_000],
  ])('believes %s', async (_which, ttlSec, leastMs, mostMs) => {
    const { names, dns, clock } = ask(pods([5001], ttlSec));
    await portsOf(names, ORDERS);
    await passing(clock, asksAgain(dns));
    expect(clock.elapsed()).toBeGreaterThanOrEqual(leastMs);
    expect(clock.elapsed()).toBeLessThanOrEqual(mostMs);
  });

  test('is no longer asked for an app that nobody calls, and asked anew by the call that comes then', async () => {
    const { names, dns, clock } = ask(pods([5001], 30));
    await portsOf(names, ORDERS);
    const nineMinutes = until(
      () => clock.elapsed(),
      (nowMs) => nowMs >= 540_000,
    );
    await passing(clock, nineMinutes, 500);
    expect(dns.asked.length).toBeLessThan(5);
    dns.says = pods([5002], 30);
    expect(await portsOf(names, ORDERS)).toEqual([5002]);
  });

  test('that fails leaves the last good answer for five minutes', async () => {
    const { names, dns, clock } = ask(pods([5001], 5));
    await portsOf(names, ORDERS);
    dns.says = FAILURE;
    const lostMs = clock.elapsed();
    const isFound = () => names.resolve(ORDERS).kind === 'found';
    while (isFound()) {
      clock.advance(500);
      await new Promise((turn) => setImmediate(turn));
    }
    const heldMs = clock.elapsed() - lostMs;
    expect(heldMs).toBeGreaterThanOrEqual(300_000);
    expect(heldMs).toBeLessThan(310_000);
  });

  test('that says there is nothing is believed for a second or two, and a call after that asks anew', async () => {
    const { names, dns, clock } = ask(NOTHING);
    expect(faultOf(await settled(names, ORDERS))).toBe('no-endpoint');
    expect(faultOf(await settled(names, ORDERS))).toBe('no-endpoint');
    expect(dns.asked).toHaveLength(1);
    dns.says = pods([5001]);
    clock.advance(2000);
    expect(await portsOf(names, ORDERS)).toEqual([5001]);
  });

  test('takes an app back as soon as it says that there is nothing', async () => {
    const { names, dns, clock } = ask(pods([5001], 5));
    const resolved = await settled(names, ORDERS);
    dns.says = NOTHING;
    clock.advance(5000);
    await until(
      () => (resolved.kind === 'found' ? resolved.upstream.endpoints() : []),
      (endpoints) => endpoints.length === 0,
    );
  });
});

test('the apps that are remembered are bounded: the one that was not called for longest is forgotten', async () => {
  const { names, dns, clock } = cluster(NOTHING, { follows: false });
  const isRemembered = (number: number) => names.resolve(target(`app-${number}`)).kind !== 'miss';
  for (let number = 0; number <= 1000; number++) {
    await settled(names, target(`app-${number}`));
    clock.advance(0.1);
    expect(isRemembered(0)).toBe(true);
  }
  expect(dns.asked).toHaveLength(1001);
  expect([0, 2, 1000].map(isRemembered)).toEqual([true, true, true]);
  expect(isRemembered(1)).toBe(false);
});

test('an app that nobody called for ten minutes is forgotten', async () => {
  const { names, feed, clock } = cluster(SILENCE);
  feed.say(ORDERS, claimed(pod(5002)));
  expect(await portsOf(names, ORDERS)).toEqual([5002]);
  clock.advance(12 * 60_000);
  // Were it remembered, its last word would stand in.
  feed.fallSilent('the operator is gone');
  expect(names.resolve(ORDERS).kind).toBe('miss');
});
