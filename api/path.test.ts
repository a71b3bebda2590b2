// The promises of the one spelling of a path, against a second reading of the same rules and against naive servers.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalPath, encodeDecodedPath } from './path.ts';

const UNRESERVED = /^[-._~0-9A-Za-z]$/;
const SEGMENT_CHARACTER = /^[-._~0-9A-Za-z!$&'()*+,;=:@]$/;

function spelled(raw: string): string {
  const path = canonicalPath(raw);
  return path.ok ? path.value : `refused: ${path.error}`;
}

function isRefused(raw: string): boolean {
  return !canonicalPath(raw).ok;
}

describe('spells', () => {
  test.each([
    ['', '/'],
    ['/', '/'],
    ['orders/7', '/orders/7'],
    ['/orders/7', '/orders/7'],
    ['/orders/', '/orders/'],
    ['//orders///7', '/orders/7'],
    ['/a//b/./c/../d', '/a/b/d'],
    ['/a/b/..', '/a/'],
    ['/a/b/.', '/a/b/'],
    ['/a/..', '/'],
    ['/..', '/'],
    ['/../../../etc/passwd', '/etc/passwd'],
    ['../admin', '/admin'],
    ['/public/%2e%2e/admin', '/admin'],
    ['/public/%2E./admin', '/admin'],
    ['/public/%2e/admin', '/public/admin'],
    ['/a/...', '/a/...'],
    ['/%61%2D%7e', '/a-~'],
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/caf\xc3\xa9', '/caf%C3%A9'],
    ['/a b"c', '/a%20b%22c'],
    ['/v1;version=2', '/v1;version=2'],
    ["/!$&'()*+,;=:@", "/!$&'()*+,;=:@"],
    ['/%21%24', '/%21%24'],
    ['/a?b#c', '/a%3Fb%23c'],
    ['/100%25', '/100%25'],
    ['/%2561', '/%2561'],
    ['/items/a%2fb', '/items/a%2Fb'],
    ['/items/a%5cb', '/items/a%5Cb'],
    ['/a/%2F/b', '/a/%2F/b'],
  ])('%j as %j', (raw, path) => {
    expect(spelled(raw)).toBe(path);
  });

  test.each(['%2F', '%5C', '%3F', '%23', '%25', '%22'])('%s as itself, in upper case', (triplet) => {
    expect(spelled(`/a${triplet}b`)).toBe(`/a${triplet}b`);
    expect(spelled(`/a${triplet.toLowerCase()}b`)).toBe(`/a${triplet}b`);
  });
});

describe('refuses', () => {
  test.each([
    ['a percent sign at the end', '/a%'],
    ['one hex digit', '/a%2'],
    ['digits that are not hex', '/a%zz'],
    ['a sign inside a triplet', '/%+1'],
    ['a space inside a triplet', '/% 1'],
    ['NUL', '/a%00b'],
    ['a raw line feed', '/a\nb'],
    ['an encoded carriage return', '/a%0db'],
    ['DEL', '/a%7Fb'],
    ['an overlong slash', '/..%c0%af..'],
    ['an overlong dot', '/%c0%ae%c0%ae/admin'],
    ['a surrogate half in UTF-8', '/%ed%a0%80'],
    ['a code point beyond Unicode', '/%f4%90%80%80'],
    ['a sequence cut by a slash', '/%c3/%a9'],
    ['a raw byte that is not UTF-8', '/\xff'],
    ['a character that is not a byte', '/\u0131'],
    ['an encoded slash beside dots', '/a%2F..%2Fb'],
    ['an encoded slash before dots', '/%2f..'],
    ['an encoded slash after one dot', '/.%2fa'],
    ['an encoded backslash beside dots', '/..%5cb'],
    ['a raw backslash beside dots', '/..\\b'],
    ['a slash encoded twice', '/%252e%252e%252fb'],
    ['a slash encoded twice beside plain dots', '/..%252fb'],
    ['a backslash encoded twice', '/..%255Cb'],
    ['dots encoded twice', '/a/%252e%252e/b'],
    ['one dot encoded twice', '/a/%252e/b'],
    ['a plain dot and one encoded twice', '/a/.%252E/b'],
    ['an encoded dot and one encoded twice', '/a/%2e%252e/b'],
    ['parameters on dots', '/..;/x'],
    ['named parameters on dots', '/a/..;v=1/x'],
    ['parameters on encoded dots', '/%2e%2e;x'],
    ['encoded parameters on dots', '/..%3bx'],
    ['parameters encoded twice on dots', '/..%253bx'],
    ['dots before an encoded hash', '/a/..%23/x'],
    ['dots before an encoded question mark', '/a/%2e%2e%3Fx'],
    ['dots before a hash encoded twice', '/a/..%2523'],
    ['a dot behind an encoded hash', '/a/x%23..'],
  ])('%s: %j', (_, raw) => {
    expect(isRefused(raw)).toBe(true);
  });

  test('and says what is wrong with the path', () => {
    expect(canonicalPath('/a%')).toEqual({
      ok: false,
      error: 'the path has a percent sign that no two hex digits follow',
    });
    expect(canonicalPath('/a%2f..')).toEqual({ ok: false, error: expect.stringContaining('hides a dot segment') });
  });
});

describe('every byte', () => {
  const bytes = Array.from({ length: 255 }, (_, i) => i + 1);
  const isControl = (byte: number) => byte < 0x20 || byte === 0x7f;
  const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0');

  test('encoded: control and lone high bytes are refused, unreserved ones plain, the rest stay encoded', () => {
    for (const byte of bytes) {
      const plain = String.fromCharCode(byte);
      const raw = `/x%${hex(byte).toLowerCase()}`;
      if (isControl(byte) || byte > 0x7f) expect(isRefused(raw), raw).toBe(true);
      else expect(spelled(raw)).toBe(UNRESERVED.test(plain) ? `/x${plain}` : `/x%${hex(byte)}`);
    }
  });

  test('raw: control and lone high bytes are refused, what may stand in a segment stands, the rest is encoded', () => {
    for (const byte of bytes) {
      const plain = String.fromCharCode(byte);
      const raw = `/x${plain}`;
      if (isControl(byte) || byte > 0x7f || plain === '%') expect(isRefused(raw), raw).toBe(true);
      else if (plain === '/') expect(spelled(raw)).toBe('/x/');
      else expect(spelled(raw)).toBe(SEGMENT_CHARACTER.test(plain) ? raw : `/x%${hex(byte)}`);
    }
  });
});

/** Paths made of the pieces that attacks are made of; about every other one is acceptable. */
const crafted = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('/') },
      { weight: 4, arbitrary: fc.constantFrom('a', 'B', '7', '~', 'caf%c3%a9', '\xc3\xa9', '%41', '%7e', ' ', '"') },
      { weight: 3, arbitrary: fc.constantFrom('.', '..', '%2e', '%2E%2e', '%252e', '%252E%252e', '%25') },
      { weight: 2, arbitrary: fc.constantFrom('%2f', '%2F', '%5c', '\\', ';', '%3b', '%252f', '%255C', '%253b') },
      { weight: 1, arbitrary: fc.constantFrom('?', '#', '%3F', '%23', '%22', '%2561', '2e', '2f') },
      { weight: 1, arbitrary: fc.constantFrom('%', '%0', '%00', '%0a', '\n', '%7f', '%c0%ae', '%ff', '\xc3', '%zz') },
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''));

const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const rawPath = fc.oneof({ weight: 4, arbitrary: crafted }, { weight: 1, arbitrary: anyBytes });

/** Holds `promise` for every spelling that some raw path has. */
function everySpelling(promise: (path: string, raw: string) => void): void {
  fc.assert(
    fc.property(rawPath, (raw) => {
      const path = canonicalPath(raw);
      if (path.ok) promise(path.value, raw);
    }),
    { numRuns: 3000 },
  );
}

const decodeLeniently = (text: string) =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

describe('a spelling', () => {
  test('exists for a good part of the paths that these properties try', () => {
    const accepted = fc.sample(crafted, { numRuns: 2000, seed: 1 }).filter((raw) => canonicalPath(raw).ok);
    expect(accepted.length).toBeGreaterThan(500);
  });

  test('of a spelling is the same', () => {
    everySpelling((path) => expect(spelled(path)).toBe(path));
  });

  test('is ASCII of the allowed alphabet, with triplets in upper case and only where they are needed', () => {
    everySpelling((path) => {
      expect(path).toMatch(/^\/([-._~0-9A-Za-z!$&'()*+,;=:@/]|%[0-9A-F]{2})*$/);
      for (const [triplet] of path.matchAll(/%../g)) expect(decodeLeniently(triplet)).not.toMatch(UNRESERVED);
    });
  });

  test('has no empty segment and no dot segment, but keeps a trailing slash', () => {
    everySpelling((path, raw) => {
      const segments = path.slice(1).split('/');
      const last = segments.pop();
      for (const segment of segments) expect(['', '.', '..']).not.toContain(segment);
      expect(['.', '..']).not.toContain(last);
      const rawLast = decodeLeniently(raw.split('/').at(-1) ?? '');
      if (path !== '/') expect(last === '').toBe(['', '.', '..'].includes(rawLast));
    });
  });

  test('decodes to what the raw segments decode to, resolved', () => {
    everySpelling((path, raw) => {
      const resolved: string[] = [];
      for (const segment of raw.split('/').map(decodeLeniently)) {
        if (segment === '..') resolved.pop();
        else if (segment !== '' && segment !== '.') resolved.push(segment);
      }
      expect(path.split('/').filter(Boolean).map(decodeLeniently)).toEqual(resolved);
    });
  });
});

/** The steps up that a server takes which decodes `times` over, cuts at any slash and drops path parameters. */
function climbs(path: string, times: number): number {
  let decoded = path;
  for (let i = 0; i < times; i++) decoded = decodeLeniently(decoded);
  return decoded.split(/[/\\]/).filter((segment) => segment.split(';')[0] === '..').length;
}

test('no server that decodes once or twice finds a way up in a spelling', () => {
  everySpelling((path) => {
    for (const times of [0, 1, 2]) expect(climbs(path, times), `${path} decoded ${times} times`).toBe(0);
  });
});

test('the servers above do climb where no spelling was made', () => {
  expect(climbs('/a/%2e%2e/b', 1)).toBe(1);
  expect(climbs('/a/%252e%252e%255c..;x', 2)).toBe(2);
});

test('a path that was decoded already means what it says, percent signs included', () => {
  expect(spelled(encodeDecodedPath('/a%2e%2e b'))).toBe('/a%252e%252e%20b');
  expect(spelled(encodeDecodedPath('/50% off?'))).toBe('/50%25%20off%3F');
  fc.assert(
    fc.property(anyBytes, (decoded) => {
      const path = canonicalPath(encodeDecodedPath(decoded));
      if (!path.ok || /(^|\/)(|\.|\.\.)(\/|$)/.test(decoded.slice(1))) return;
      expect(decodeLeniently(path.value)).toBe(`/${decoded.replace(/^\//, '')}`);
    }),
  );
});
