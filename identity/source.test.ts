// The life of an identity, told on a clock that moves by hand: first certificate, renewals, failures, the end.
import { createPublicKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseSpiffeId } from '../api/ids.ts';
import { silentLog } from '../kit/log.ts';
import { err, must, ok, type Result } from '../kit/result.ts';
import { manualClock } from '../kit/testing/clock.ts';
import type { RequestCertificate, SentryFailure } from './sentry-client.ts';
import { startIdentity } from './source.ts';
import type { Credentials } from './svid.ts';
import { throwawayCa } from './testing.ts';

const ca = throwawayCa();
const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const HOUR_MS = 3_600_000;
const down = err<SentryFailure>({ kind: 'unreachable', message: 'the signer is down' });

/** A source whose requests wait here until they are answered by hand. */
function start({ random = 0.5 } = {}) {
  const clock = manualClock();
  const asked: ((outcome: Result<Credentials, SentryFailure>) => void)[] = [];
  const cancelled: number[] = [];
  const request: RequestCertificate = (_endpoint, _identity, _options, done) => {
    const index = asked.push(done) - 1;
    return () => cancelled.push(index);
  };
  const source = startIdentity({
    endpoint: { kind: 'socket', path: '/nowhere' },
    appId: web.app,
    namespace: web.namespace,
    trustDomain: web.trustDomain,
    clock,
    random: () => random,
    log: silentLog,
    request,
  });
  const answer = (outcome: Result<Credentials, SentryFailure>) => asked.at(-1)?.(outcome);
  const issue = (lifeMs = 24 * HOUR_MS) => ca.issue(web, { notAfter: clock.now() + lifeMs });
  return { clock, source, asked, cancelled, answer, issue };
}

test('asks at once, and is ready with the first answer', () => {
  const { source, asked, answer, issue } = start();
  expect(asked).toHaveLength(1);
  expect(source.state()).toEqual({ kind: 'waiting' });
  const issued = issue();
  answer(ok(issued));
  expect(source.credentials.current()).toBe(issued);
  expect(source.state()).toEqual({ kind: 'ready', notAfter: issued.svid.notAfter });
});

test('firstReady calls once: later if it must, at once if it can, never when cancelled', () => {
  const { source, asked, clock, answer, issue } = start();
  const calls: string[] = [];
  source.firstReady(() => calls.push('early'));
  source.firstReady(() => calls.push('cancelled'))();
  answer(ok(issue()));
  clock.advance(12 * HOUR_MS);
  answer(ok(issue()));
  expect(asked).toHaveLength(2);
  source.firstReady(() => calls.push('late'));
  expect(calls).toEqual(['early', 'late']);
});

test('failures are retried ever more slowly, at most 10 s apart, and the reason can be read', () => {
  const { source, clock, asked, answer } = start({ random: 1 });
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 8; attempt++) {
    answer(down);
    waits.push(...clock.waiting());
    clock.advance(waits.at(-1) ?? 0);
    expect(asked).toHaveLength(attempt + 1);
  }
  expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  expect(source.state()).toEqual({
    kind: 'waiting',
    lastError: 'the signer is down',
    lastFailure: 'unreachable',
  });
});

test.each([
  [0, 0.45],
  [0.5, 0.5],
  [1, 0.55],
])('with jitter %d the renewal comes at %d of the life that was left at receipt', (random, share) => {
  const { clock, asked, answer } = start({ random });
  const notAfter = Math.ceil(clock.now() / 1000) * 1000 + 10 * HOUR_MS;
  const lifeMs = notAfter - clock.now();
  answer(ok(ca.issue(web, { notBefore: clock.now() - 5 * HOUR_MS, notAfter })));
  clock.advance(lifeMs * share - 1000);
  expect(asked).toHaveLength(1);
  clock.advance(1001);
  expect(asked).toHaveLength(2);
});

test('a renewal replaces key and certificate together', () => {
  const { source, clock, answer, issue } = start();
  const seen: (Credentials | undefined)[] = [];
  source.credentials.changed((value) => seen.push(value));
  const [first, second] = [issue(), issue()];
  answer(ok(first));
  clock.advance(12 * HOUR_MS);
  answer(ok(second));
  expect(seen).toEqual([first, second]);
  expect(createPublicKey(first.svid.keyPem).equals(createPublicKey(second.svid.keyPem))).toBe(false);
});

test('a renewal that fails leaves the old certificate in force, and the retries start afresh', () => {
  const { source, clock, asked, answer, issue } = start({ random: 1 });
  const first = issue();
  answer(ok(first));
  clock.advance(14 * HOUR_MS);
  answer(down);
  expect(clock.waiting()).toEqual([200]);
  expect(source.credentials.current()).toBe(first);
  expect(source.state().kind).toBe('ready');
  clock.advance(200);
  const second = issue();
  answer(ok(second));
  expect(asked).toHaveLength(3);
  expect(source.credentials.current()).toBe(second);
});

test('expired credentials stay, and the state says so', () => {
  const { source, clock, answer, issue } = start();
  const first = issue(HOUR_MS);
  answer(ok(first));
  clock.advance(0.5 * HOUR_MS);
  answer(down);
  clock.advance(HOUR_MS);
  expect(source.credentials.current()).toBe(first);
  expect(source.state()).toMatchObject({ kind: 'waiting', lastError: expect.stringMatching(/expired.*is down/) });
});

test('a machine that slept renews within a minute of waking, though its timers stood still', () => {
  const { clock, asked, answer, issue } = start();
  let asleepMs = 0;
  const awake = clock.now;
  Object.assign(clock, { now: () => awake() + asleepMs });
  answer(ok(issue()));
  asleepMs = 20 * HOUR_MS;
  clock.advance(60_000);
  expect(asked).toHaveLength(2);
});

test('stopped while asking: the request is cancelled and nothing follows', () => {
  const { source, clock, cancelled } = start();
  source.stop();
  source.stop();
  expect(cancelled).toEqual([0]);
  expect(clock.waiting()).toEqual([]);
});

test('stopped between requests: no timer stays', () => {
  const { source, clock, answer, issue } = start();
  answer(down);
  clock.advance(200);
  answer(ok(issue()));
  source.stop();
  expect(clock.waiting()).toEqual([]);
  expect(source.state().kind).toBe('ready');
});

test('stopped by whoever hears of the first certificate: no renewal is planned', () => {
  const { source, clock, answer, issue } = start();
  source.firstReady(() => source.stop());
  answer(ok(issue()));
  expect(clock.waiting()).toEqual([]);
});
