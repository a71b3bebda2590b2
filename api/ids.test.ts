// What a name may be. Each name ends up in a certificate, a DNS name or a policy, so there is exactly one spelling.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import {
  isSameTarget,
  parseAppId,
  parseNamespace,
  parseSpiffeId,
  parseTarget,
  parseTrustDomain,
  spiffeId,
  targetName,
} from './ids.ts';

const shop = must(parseNamespace('shop'));

test.each(['a', 'web', 'web-2', 'a--b', 'a'.repeat(56)])('%s is an app id', (text) => {
  expect(parseAppId(text)).toEqual({ ok: true, value: text });
});

test.each([
  ...['', 'Web', 'WEB', '2web', '-web', 'web-', 'we_b', 'web.shop', 'web/x', 'web ', ' web', 'web\n', 'wéb'],
  ...['a'.repeat(57), '../web', '*', 'web\0', 'ｗｅｂ'],
])('%j is not an app id', (text) => {
  expect(parseAppId(text).ok).toBe(false);
});

test('an app id leaves room for the suffix of its Service, whose name is a DNS label', () => {
  expect(`${'a'.repeat(56)}-invoke`.length).toBe(63);
});

test.each([
  ['0', true],
  ['kube-system', true],
  ['a'.repeat(63), true],
  ['a'.repeat(64), false],
  ['', false],
  ['-a', false],
  ['a-', false],
  ['a.b', false],
  ['A', false],
  ['a\n', false],
])('whether %j is a namespace: %j', (text, isOne) => {
  expect(parseNamespace(text).ok).toBe(isOne);
});

test.each([
  ['cluster.local', true],
  ['prod_1.example-2.org', true],
  ['a'.repeat(255), true],
  ['a'.repeat(256), false],
  ['', false],
  ['Cluster.local', false],
  ['cluster.local.', false],
  ['cluster.local:443', false],
  ['user@cluster.local', false],
  ['cluster/local', false],
])('whether %j is a trust domain: %j', (text, isOne) => {
  expect(parseTrustDomain(text).ok).toBe(isOne);
});

describe('a target', () => {
  test.each([
    ['web', 'web.shop'],
    ['web.billing', 'web.billing'],
  ])('%s is %s', (text, name) => {
    expect(targetName(must(parseTarget(text, shop)))).toBe(name);
  });

  test.each(['', '.', 'web.', '.billing', 'web.billing.x', 'web..billing', 'Web.billing', 'web.Billing', 'web/x'])(
    '%j is none',
    (text) => {
      expect(parseTarget(text, shop).ok).toBe(false);
    },
  );

  test('that was read before is the same object, and another one in another namespace', () => {
    const web = must(parseTarget('web', shop));
    expect(must(parseTarget('web', shop))).toBe(web);
    const elsewhere = must(parseTarget('web', must(parseNamespace('billing'))));
    expect([web, elsewhere].map(targetName)).toEqual(['web.shop', 'web.billing']);
  });

  test('keeps its name however many others are read', () => {
    const names = Array.from({ length: 5000 }, (_, i) => `web.n${i}`);
    for (const _ of [1, 2]) for (const name of names) expect(targetName(must(parseTarget(name, shop)))).toBe(name);
  });

  test('is not what looks like one in fewer bits', () => {
    expect(parseTarget('\u0177eb', shop).ok).toBe(false);
    expect(parseTarget('web', shop).ok).toBe(true);
    expect(parseTarget('\u0177eb', shop).ok).toBe(false);
  });

  test('is the same only with the same app in the same namespace', () => {
    const web = must(parseTarget('web', shop));
    expect(isSameTarget(web, must(parseTarget('web.shop', shop)))).toBe(true);
    expect(isSameTarget(web, must(parseTarget('web.evil', shop)))).toBe(false);
    expect(isSameTarget(web, must(parseTarget('app.shop', shop)))).toBe(false);
  });
});

describe('a SPIFFE ID', () => {
  const id = 'spiffe://cluster.local/ns/shop/web';
  const identity = fc.record({
    trustDomain: fc
      .stringMatching(/^[a-z0-9]([-._a-z0-9]{0,30}[a-z0-9])?$/)
      .map((text) => must(parseTrustDomain(text))),
    namespace: fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/).map((text) => must(parseNamespace(text))),
    app: fc.stringMatching(/^[a-z]([-a-z0-9]{0,54}[a-z0-9])?$/).map((text) => must(parseAppId(text))),
  });

  test('reads back as the identity that it was written for', () => {
    fc.assert(
      fc.property(identity, (who) => {
        expect(parseSpiffeId(spiffeId(who))).toEqual({ ok: true, value: who });
      }),
    );
  });

  test('has one spelling: whatever is read is written the same again', () => {
    const edited = fc
      .tuple(fc.nat({ max: id.length }), fc.nat({ max: 2 }), fc.string({ maxLength: 2, unit: 'binary' }))
      .map(([at, cut, put]) => id.slice(0, at) + put + id.slice(at + cut));
    fc.assert(
      fc.property(edited, (text) => {
        const read = parseSpiffeId(text);
        if (read.ok) expect(spiffeId(read.value)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ...['SPIFFE://cluster.local/ns/shop/web', 'spiffe://Cluster.local/ns/shop/web', 'spiffe:///ns/shop/web'],
    ...[`${id}/`, `${id}/x`, `${id}?x`, `${id}#x`, `${id}\n`, ` ${id}`, 'spiffe://cluster.local//ns/shop/web'],
    ...['spiffe://cluster.local/ns/shop', 'spiffe://cluster.local/ns/shop/../web', 'spiffe://cluster.local/ns//web'],
    ...['spiffe://cluster.local/sa/shop/web', 'https://cluster.local/ns/shop/web', 'spiffe://a@b/ns/shop/web'],
    ...['spiffe://cluster.local:1/ns/shop/web', 'spiffe://cluster.local/ns/shop/w%65b', ''],
  ])('is not %j', (text) => {
    expect(parseSpiffeId(text).ok).toBe(false);
  });
});

test('a message quotes what was wrong, neither at length nor with control characters', () => {
  const parsers = [parseAppId, parseNamespace, parseTrustDomain, parseSpiffeId, (t: string) => parseTarget(t, shop)];
  const hostile = fc.string({
    unit: fc.constantFrom('\0', '\n', '\x1b', '\x7f', '\x9b', '\u2028', 'A'),
    maxLength: 300,
  });
  fc.assert(
    fc.property(fc.constantFrom(...parsers), hostile, (parse, text) => {
      const parsed = parse(text);
      if (parsed.ok) return;
      expect(parsed.error).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
      expect(parsed.error.length).toBeLessThan(700);
    }),
  );
  expect(parseAppId('Web')).toEqual({ ok: false, error: expect.stringContaining('"Web" is not an app id') });
});
