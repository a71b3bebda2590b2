// Which hosts are understood, in which one spelling, and which are refused because somebody might understand them otherwise.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { originText, parseExternalOrigin } from './origin.ts';

function read(url: string): string {
  const origin = parseExternalOrigin(url);
  return origin.ok ? originText(origin.value) : origin.error;
}

test.each([
  ['https://api.example.com', 'https://api.example.com'],
  ['HTTPS://API.Example.COM/', 'https://api.example.com'],
  ['https://api.example.com.', 'https://api.example.com'],
  ['https://api.example.com:443', 'https://api.example.com'],
  ['http://api.example.com:443', 'http://api.example.com:443'],
  ['http://localhost:8080', 'http://localhost:8080'],
  ['http://my_service:1', 'http://my_service:1'],
  ['http://10.0.0.7', 'http://10.0.0.7'],
  ['http://[2001:DB8::1]:8080', 'http://[2001:db8::1]:8080'],
  ['http://[::ffff:127.0.0.1]', 'http://[::ffff:127.0.0.1]'],
  ['http://xn--bcher-kva.example', 'http://xn--bcher-kva.example'],
])('%s is %s', (url, expected) => {
  expect(read(url)).toBe(expected);
});

describe('is refused', () => {
  test.each([
    ['ftp://example.com', 'is no target'],
    ['//example.com', 'is no target'],
    ['https:example.com', 'is no target'],
    ['https://example.com/v1', 'is no target'],
    ['https://example.com?x', 'is no target'],
    ['https://example.com#x', 'is no target'],
    ['https://', 'is no host name'],
    ['https://.', 'is no host name'],
    ['https://a..b', 'is no host name'],
    ['https://a b', 'is no host name'],
    ['https://bücher.example', 'in Punycode'],
    ['https://ex%61mple.com', 'is no host name'],
    ['https://evil.com\\@good.com', 'names a user'],
    ['https://user@example.com', 'names a user'],
    ['https://user:password@example.com', 'names a user'],
    ['https://example.com:', 'is not a port'],
    ['https://example.com:0', 'is not a port'],
    ['https://example.com:65536', 'is not a port'],
    ['https://example.com:80:80', 'is not a port'],
    ['https://2130706433', 'no IPv4 address'],
    ['https://0x7f000001', 'no IPv4 address'],
    ['https://0x7f.1', 'no IPv4 address'],
    ['https://127.1', 'no IPv4 address'],
    ['https://0177.0.0.1', 'no IPv4 address'],
    ['https://127.0.0.01', 'no IPv4 address'],
    ['https://127.0.0.1.', 'no IPv4 address'],
    ['https://256.0.0.1', 'no IPv4 address'],
    ['https://1.2.3.4.5', 'no IPv4 address'],
    ['https://example.0x1', 'no IPv4 address'],
    ['https://::1', 'is no host name'],
    ['https://[::1', 'brackets'],
    ['https://[::1]x', 'brackets'],
    ['https://[fe80::1%25eth0]', 'no IPv6 address'],
    ['https://[127.0.0.1]', 'no IPv6 address'],
    [`https://${'a'.repeat(300)}.example`, 'is no target'],
  ])('%s', (url, words) => {
    expect(read(url)).toContain(words);
  });
});

test('what is understood has one spelling, and the platform’s URL reads the same host and port in it', () => {
  const text = fc.oneof(
    fc.webUrl({ withQueryParameters: false, withFragments: false }).map((url) => new URL(url).origin),
    fc.ipV4().map((ip) => `http://${ip}`),
    fc.ipV4Extended().map((ip) => `http://${ip}`),
    fc.ipV6().map((ip) => `https://[${ip}]:8443`),
    fc.stringMatching(/^https?:\/\/[-.0-9a-fxA-F:[\]@%_]{1,20}$/),
    fc.string({ unit: 'binary' }).map((rest) => `https://${rest}`),
  );
  fc.assert(
    fc.property(text, (url) => {
      const origin = parseExternalOrigin(url);
      if (!origin.ok) return;
      const { host, port, scheme } = origin.value;
      const printed = originText(origin.value);
      expect(parseExternalOrigin(printed)).toEqual(origin);
      const platform = new URL(printed);
      expect(Number(platform.port || (scheme === 'https' ? 443 : 80))).toBe(port);
      // The platform shortens IPv6 addresses; of all else it makes nothing but what stands there.
      if (!host.includes(':')) expect(platform.hostname).toBe(host);
    }),
    { numRuns: 3000 },
  );
});
