// What one request costs at most, what becomes of it, and the line that is written about it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSpiffeId } from '../api/ids.ts';
import { encodeSignRequest } from '../api/proto/sentry.ts';
import { makeCsr } from '../identity/csr.ts';
import { CONTROL_PLANE_NAMESPACE } from '../identity/svid.ts';
import { systemClock } from '../kit/clock.ts';
import { createLog, silentLog } from '../kit/log.ts';
import { err, must, ok } from '../kit/result.ts';
import { manualClock } from '../kit/testing/clock.ts';
import { processes } from '../kit/testing/processes.ts';
import type { Validator } from './attest/attest.ts';
import { type Authority, openAuthority } from './authority/authority.ts';
import { createCa, type Outcome, type Source } from './ca.ts';

const web = must(parseSpiffeId('spiffe://cluster.local/ns/shop/web'));
const csr = Buffer.from(makeCsr().csrPem);
const message = encodeSignRequest({
  ...{ appId: 'web', namespace: 'shop', trustDomain: 'cluster.local', token: 'a.b.c', validator: 'kubernetes' },
  csr,
});

let directory = '';
let authority: Authority;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'invoke-ca-'));
  const options = { directory, trustDomain: web.trustDomain, clock: systemClock, processes, log: silentLog };
  authority = must(await openAuthority(options));
});
afterAll(() => rmSync(directory, { recursive: true }));

const subjectOf = (uid: string) => ({ pod: 'shop/web-1', podUid: uid, serviceAccount: 'shop/default' });
const from = (address: string): Source => ({ origin: 'network', address });

function open(kubernetes: Validator) {
  const clock = manualClock();
  const lines: string[] = [];
  const outcomes: Outcome[] = [];
  const audit = createLog({ level: 'info', format: 'json', write: (line) => lines.push(line), now: clock.now });
  const ca = createCa({
    ...{ authority, clock, audit, log: silentLog, workloadCertTtlMs: 3_600_000 },
    ...{ controlPlaneNamespace: CONTROL_PLANE_NAMESPACE, validators: { kubernetes } },
    observe: (outcome) => outcomes.push(outcome),
  });
  return { ca, clock, outcomes, entries: () => lines.map((line) => JSON.parse(line)) };
}

test('who was given what, by what proof and from where, is one line', async () => {
  const { ca, entries, outcomes } = open(async () => ok({ identity: web, subject: subjectOf('u1') }));
  must(await ca(message, from('10.0.0.7')));
  expect(entries()).toEqual([
    {
      ...{ time: expect.any(String), level: 'info', message: 'certificate issued' },
      ...{ identity: 'spiffe://cluster.local/ns/shop/web', asked: 'shop/web', validator: 'kubernetes' },
      ...{ origin: 'network', source: '10.0.0.7', pod: 'shop/web-1', podUid: 'u1', serviceAccount: 'shop/default' },
      ...{ serial: expect.stringMatching(/^[0-9A-F]{32}$/), notAfter: expect.stringMatching(/Z$/) },
    },
  ]);
  expect(outcomes).toEqual(['issued']);
});

test('a refusal is one line, too, with whoever stood behind it as far as that is known', async () => {
  const doubt = { kind: 'not-proven', reason: 'the pod has ended', subject: subjectOf('u1') } as const;
  const { ca, entries, outcomes } = open(async () => err(doubt));
  const answer = await ca(message, from('10.0.0.7'));
  expect(answer).toMatchObject({ ok: false, error: { reason: 'not-proven' } });
  expect(entries()).toMatchObject([
    {
      ...{ level: 'warn', message: 'certificate refused', asked: 'shop/web', source: '10.0.0.7', podUid: 'u1' },
      ...{ code: 'not-proven', reason: 'spiffe://cluster.local/ns/shop/web is not proven: the pod has ended' },
    },
  ]);
  expect(JSON.stringify(entries())).not.toContain('a.b.c');
  expect(outcomes).toEqual(['not-proven']);
});

test('a pod gets ten certificates at once and ten a minute; others are not touched by that', async () => {
  let uid = 'u1';
  const { ca, clock, outcomes } = open(async () => ok({ identity: web, subject: subjectOf(uid) }));
  for (let i = 0; i < 10; i++) must(await ca(message, from('10.0.0.7')));
  expect(await ca(message, from('10.0.0.8'))).toMatchObject({
    ok: false,
    error: { reason: 'rate-limited', message: expect.stringContaining('of the pod shop/web-1') },
  });
  uid = 'u2';
  must(await ca(message, from('10.0.0.7')));
  uid = 'u1';
  clock.advance(6000);
  must(await ca(message, from('10.0.0.7')));
  expect(outcomes.filter((outcome) => outcome === 'rate-limited')).toHaveLength(1);
});

test('garbage from one address soon asks nobody for proof any more, and is not worth a line each', async () => {
  let asked = 0;
  const { ca, entries } = open(async () => {
    asked += 1;
    return err({ kind: 'not-proven', reason: 'garbage' });
  });
  for (let i = 0; i < 1000; i++) await ca(message, from('10.0.0.7'));
  expect(asked).toBe(200);
  expect(entries().filter(({ code }) => code === 'rate-limited')).toHaveLength(1);
  await ca(message, from('10.0.0.8'));
  expect(asked).toBe(201);
});

test('garbage is not worth a line each either while so many wait that there is no room for more', async () => {
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  const { ca, entries } = open(async () => {
    await answered;
    return err({ kind: 'unavailable', reason: 'slow' });
  });
  const waiting = Array.from({ length: 128 }, (_, i) => ca(message, from(`10.0.1.${i}`)));
  for (let i = 0; i < 1000; i++) await ca(message, from('10.0.0.7'));
  expect(entries().filter(({ source }) => source === '10.0.0.7')).toHaveLength(201);
  resolve();
  await Promise.all(waiting);
});

test('a machine of its own is not limited by address', async () => {
  const { ca, outcomes } = open(async () => err({ kind: 'not-proven', reason: 'no' }));
  for (let i = 0; i < 300; i++) await ca(message, { origin: 'socket', address: '' });
  expect(new Set(outcomes)).toEqual(new Set(['not-proven']));
});

test('so many questions at once are enough: the rest may come back', async () => {
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  const { ca, outcomes } = open(async () => {
    await answered;
    return err({ kind: 'unavailable', reason: 'slow' });
  });
  const asked = Array.from({ length: 130 }, (_, i) => ca(message, from(`10.0.1.${i}`)));
  expect(await Promise.all(asked.slice(128))).toMatchObject([
    { error: { reason: 'busy' } },
    { error: { reason: 'busy' } },
  ]);
  resolve();
  await Promise.all(asked);
  expect(outcomes.filter((outcome) => outcome === 'unavailable')).toHaveLength(128);
  expect(await ca(message, from('10.0.0.7'))).toMatchObject({ error: { reason: 'unavailable' } });
});

test('a validator that throws is a bug of ours and says nothing of it to the caller', async () => {
  const { ca } = open(async () => {
    throw new Error('secret detail');
  });
  const answer = await ca(message, from('10.0.0.7'));
  expect(answer).toMatchObject({ ok: false, error: { reason: 'internal' } });
  expect(JSON.stringify(answer)).not.toContain('secret detail');
});
