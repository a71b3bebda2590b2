// The life of the webhook's certificates, on a clock that jumps: at no moment is something served that was not trusted before.
import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  AUTHORITY_LIFE_MS,
  advance,
  OVERLAP_MS,
  printCertificates,
  readCertificates,
  SERVING_LIFE_MS,
  servingNames,
  trusted,
  type WebhookCertificates,
} from './certificates.ts';
import { OWN } from './testing.ts';

const NAMES = servingNames(OWN);
const START = Date.UTC(2026, 0, 1);
const first = await advance(undefined, NAMES, START);

function isTrusted({ serving }: Pick<WebhookCertificates, 'serving'>, bundle: string): boolean {
  const leaf = new X509Certificate(serving.certificate);
  const anchors = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return anchors.some((anchor) => leaf.verify(new X509Certificate(anchor).publicKey));
}

test('the first ones are for the names by which the API server calls, and hold', () => {
  const serving = new X509Certificate(first.serving.certificate);
  expect(serving.checkHost('invoke-operator.invoke-system.svc')).toBeDefined();
  expect(serving.ca).toBe(false);
  expect(new X509Certificate(first.authority.certificate).ca).toBe(true);
  expect(isTrusted(first, trusted(first))).toBe(true);
});

test('while nothing is due, nothing changes', async () => {
  expect(await advance(first, NAMES, START + SERVING_LIFE_MS / 2 - 120_000)).toBe(first);
});

test('the serving certificate is renewed at half of its life, by the same authority', async () => {
  const renewed = await advance(first, NAMES, START + SERVING_LIFE_MS / 2);
  expect(renewed.serving.certificate).not.toBe(first.serving.certificate);
  expect(renewed.authority).toBe(first.authority);
  expect(isTrusted(renewed, trusted(first))).toBe(true);
});

test('a serving certificate of a replica whose clock is an hour ahead is made anew by one that is on time, and stays', async () => {
  const renewedAt = START + SERVING_LIFE_MS / 2;
  const ahead = await advance(first, NAMES, renewedAt + 3_600_000);
  const mended = await advance(ahead, NAMES, renewedAt);
  expect(new X509Certificate(mended.serving.certificate).validFromDate.getTime()).toBeLessThanOrEqual(renewedAt);
  expect(isTrusted(mended, trusted(first))).toBe(true);
  expect(await advance(mended, NAMES, renewedAt + 3_600_000)).toBe(mended);
});

test('other names, as of another namespace, make another serving certificate', async () => {
  const moved = await advance(first, ['invoke-operator.elsewhere.svc'], START);
  expect(new X509Certificate(moved.serving.certificate).checkHost('invoke-operator.elsewhere.svc')).toBeDefined();
});

test('through years of daily looks, what is served was always trusted a day before, and nothing was out of date', async () => {
  const dayMs = 86_400_000;
  let held = first;
  let yesterday = trusted(first);
  let authorities = 1;
  for (let now = START; now < START + AUTHORITY_LIFE_MS; now += dayMs) {
    const next = await advance(held, NAMES, now);
    expect(isTrusted(next, yesterday)).toBe(true);
    expect(isTrusted(held, trusted(next))).toBe(true);
    expect(new X509Certificate(next.serving.certificate).validToDate.getTime()).toBeGreaterThan(now + dayMs);
    if (next.authority !== held.authority) authorities++;
    expect(next.former.length).toBeLessThanOrEqual(2);
    yesterday = trusted(next);
    held = next;
  }
  expect(authorities).toBeGreaterThan(1);
});

test('the next authority is trusted for a day before it signs', async () => {
  const half = START + AUTHORITY_LIFE_MS / 2;
  const prepared = await advance(first, NAMES, half);
  expect(prepared.next).toBeDefined();
  expect(isTrusted(prepared, first.authority.certificate)).toBe(true);
  expect(trusted(prepared)).toContain(prepared.next?.certificate);
  expect((await advance(prepared, NAMES, half + OVERLAP_MS - 1)).authority).toBe(prepared.authority);
  const active = await advance(prepared, NAMES, half + OVERLAP_MS);
  expect(active.authority).toEqual(prepared.next);
  expect(active.former).toEqual([first.authority.certificate]);
  expect(isTrusted(active, active.authority.certificate)).toBe(true);
});

test('after a pause longer than every life, all is made anew', async () => {
  const anew = await advance(first, NAMES, START + AUTHORITY_LIFE_MS);
  expect(trusted(anew)).not.toContain(first.authority.certificate);
  expect(isTrusted(anew, trusted(anew))).toBe(true);
});

test('what is kept in the Secret is read back as it was', async () => {
  const prepared = await advance(first, NAMES, START + AUTHORITY_LIFE_MS / 2);
  const active = await advance(prepared, NAMES, START + AUTHORITY_LIFE_MS / 2 + OVERLAP_MS);
  for (const state of [first, prepared, active]) expect(readCertificates(printCertificates(state))).toEqual(state);
});

test.each(['ca.crt', 'ca.key', 'tls.crt', 'tls.key'])('a Secret whose %s was spoilt counts as empty', async (key) => {
  const data = printCertificates(first);
  const other = printCertificates(await advance(undefined, NAMES, START));
  expect(readCertificates({ ...data, [key]: '' })).toBeUndefined();
  expect(readCertificates({ ...data, [key]: Buffer.from('junk').toString('base64') })).toBeUndefined();
  expect(readCertificates({ ...data, [key]: other[key] ?? '' })).toBeUndefined();
});
