// Which header fields travel, and that none of them can write a line or an identity of its own.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import {
  checkedHeaders,
  contentLength,
  endToEnd,
  grpcEndToEnd,
  headerPairs,
  headersFromPeer,
  headerValue,
  headerValues,
  without,
} from './headers.ts';
import { identityHeaders } from './identity-headers.ts';
import { parseAppId, parseNamespace, parseTrustDomain } from './ids.ts';

const STOPPED = [
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'],
  ...['host', 'content-length', 'expect', 'destination-app-id', 'dapr-app-id', 'invoke-app-id'],
  ...['dapr-api-token', 'invoke-timeout', 'invoke-fault', 'trace-bin', 'grpc-trace-bin'],
];
const IDENTITY = [
  ...['dapr-caller-app-id', 'dapr-caller-namespace', 'dapr-callee-app-id', 'dapr-callee-namespace'],
  ...['invoke-caller-id', 'invoke-callee-app-id', 'dapr_caller_app_id', 'dapr_caller-app_id', 'invoke_caller_id'],
];
const TRAVELLING = [
  ...['accept', 'content-type', 'cookie', 'set-cookie', 'traceparent', 'x-forwarded-for', 'x-dapr-caller-app-id'],
  ...['dapr-caller', 'binary', 'tea', 'hosts', '__proto__', 'constructor', 'toString', 'hasOwnProperty'],
];

/** The name with some of its letters in upper case. */
function inSomeCase(name: string): fc.Arbitrary<string> {
  return fc
    .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
    .map((upper) => [...name].map((c, i) => (upper[i] ? c.toUpperCase() : c)).join(''));
}

const byteString = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const fieldOf = (names: readonly string[]) => fc.tuple(fc.constantFrom(...names).chain(inSomeCase), byteString);

test.each([...STOPPED, ...IDENTITY])('%s stays here, in any letter case', (name) => {
  fc.assert(
    fc.property(inSomeCase(name), (spelled) => {
      expect(endToEnd(['Accept', 'a', spelled, 'x', 'Cookie', 'b'])).toEqual(['accept', 'a', 'cookie', 'b']);
    }),
    { numRuns: 20 },
  );
});

test('all other fields travel, in order, repeated as they were, their bytes untouched', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fieldOf(TRAVELLING), fieldOf([...STOPPED.slice(1), ...IDENTITY]))), (fields) => {
      const travelling = new Set(TRAVELLING.map((name) => name.toLowerCase()));
      const expected = fields
        .map(([name, value]) => [name.toLowerCase(), value] as const)
        .filter(([name]) => travelling.has(name));
      expect(endToEnd(fields.flat())).toEqual(expected.flat());
    }),
  );
});

describe('a field that Connection names', () => {
  test.each([
    ['one name', ['Connection', 'X-Hop', 'x-hop', '1', 'x-end', '2']],
    ['a list with odd spaces', ['connection', 'close ,\tX-HOP,', 'X-Hop', '1', 'x-end', '2']],
    ['two Connection fields', ['connection', 'close', 'x-hop', '1', 'CONNECTION', 'x-hop', 'x-end', '2']],
    ['before the field and after it', ['X-Hop', '1', 'connection', 'x-hop', 'x-hop', '3', 'x-end', '2']],
  ])('stays here: %s', (_, raw) => {
    expect(endToEnd(raw)).toEqual(['x-end', '2']);
  });

  test('may have the name of an object property, and then only that field stays', () => {
    expect(endToEnd(['Connection', 'constructor', 'constructor', '1', '__proto__', '2'])).toEqual(['__proto__', '2']);
  });
});

test('what stays here stays, however many names have been seen before it', () => {
  for (let i = 0; i < 3000; i++) {
    expect(endToEnd([`x-${i}`, '1', `x-${i}-bin`, '2', `dapr-caller-${i}`, '3'])).toEqual([`x-${i}`, '1']);
  }
  for (const name of STOPPED.slice(1)) expect(endToEnd([name, '1', 'x-1', '2'])).toEqual(['x-1', '2']);
});

describe('metadata of gRPC', () => {
  test('travels with its binary fields, its repetitions and its order', () => {
    const said = ['x-a', '1', 'grpc-status-details-bin', 'CAM', 'x-a', '2', 'content-type', 'application/grpc+proto'];
    expect(grpcEndToEnd(said)).toEqual(said);
  });

  test.each([
    ...['te', 'dapr-app-id', 'invoke-app-id', 'dapr-api-token', 'invoke-fault', 'grpc-timeout', 'content-length'],
    ...[
      'dapr-caller-app-id',
      'dapr_caller.app-id',
      'invoke-caller-id',
      'dapr-caller-app-id-bin',
      'invoke_callee_id-bin',
    ],
  ])('leaves %s here', (name) => {
    expect(grpcEndToEnd(['x-a', '1', name, 'x', 'x-b', '2'])).toEqual(['x-a', '1', 'x-b', '2']);
  });
});

test('a field may have the name of an object property', () => {
  const headers = ['__proto__', 'a', 'constructor', 'b', '__proto__', 'c'];
  expect(headerValue(headers, '__proto__')).toBe('a');
  expect(headerValues(headers, '__proto__')).toEqual(['a', 'c']);
  expect(headerPairs(headers)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['__proto__', 'c'],
  ]);
  expect(headerValue([], 'constructor')).toBeUndefined();
  expect(without(headers, '__proto__')).toEqual(['constructor', 'b']);
});

test('looking for a name never finds a value that looks like it', () => {
  const headers = ['accept', 'cookie', 'cookie', 'accept'];
  expect(headerValue(headers, 'cookie')).toBe('accept');
  expect(without(headers, 'cookie')).toEqual(['accept', 'cookie']);
  expect(headerValue(['Set-Cookie', '1', 'SET-COOKIE', '2'], 'set-cookie')).toBe('1');
});

test('the identity that the app is told is one that no caller could have sent', () => {
  const shop = must(parseNamespace('shop'));
  const caller = {
    app: must(parseAppId('web')),
    namespace: shop,
    trustDomain: must(parseTrustDomain('cluster.local')),
  };
  const said = identityHeaders(caller, { app: must(parseAppId('orders')), namespace: shop });
  expect(said).toEqual([
    ...['dapr-caller-app-id', 'web', 'dapr-caller-namespace', 'shop', 'dapr-callee-app-id', 'orders'],
    ...['invoke-caller-id', 'spiffe://cluster.local/ns/shop/web'],
  ]);
  expect(endToEnd(said)).toEqual([]);
});

describe('the fields of a peer are checked', () => {
  const isAccepted = (name: string, value: string) => checkedHeaders(['accept', 'a', name, value]).ok;

  test.each([
    ['a line feed in a value', 'x', 'a\nb'],
    ['a carriage return in a value', 'x', 'a\rb'],
    ['NUL in a value', 'x', 'a\0b'],
    ['DEL in a value', 'x', 'a\x7f'],
    ['a character that is not a byte', 'x', '\u010a'],
    ['a line of its own at the end', 'x', 'a\r\n'],
    ['an empty name', '', 'a'],
    ['a space in a name', 'x y', 'a'],
    ['a colon in a name', 'x:', 'a'],
    ['a line feed after a name', 'x\n', 'a'],
    ['a pseudo-header', ':path', '/admin'],
  ])('%s is refused', (_, name, value) => {
    expect(isAccepted(name, value)).toBe(false);
  });

  test('any other byte passes, and the list comes back as it was', () => {
    const headers = ['x', '\t !~\x80\xff', '__proto__', '', 'x', 'again'];
    expect(checkedHeaders(headers)).toEqual({ ok: true, value: headers });
  });

  test('as strictly as the platform checks what it sends', () => {
    const name = fc.oneof(byteString, fc.constantFrom('x', 'X-Y_z', 'a|b', '~'));
    fc.assert(
      fc.property(name, byteString, (name, value) => {
        expect(isAccepted(name, value)).toBe(isSendable(name, value));
      }),
      { numRuns: 2000 },
    );
  });

  test('the message names the field, never the bytes that were wrong with it', () => {
    expect(checkedHeaders(['x-a', 'secret\n'])).toEqual({ ok: false, error: expect.not.stringContaining('secret') });
    expect(checkedHeaders(['x\x1b[2J'.repeat(50), ''])).toMatchObject({ error: expect.not.stringContaining('\x1b') });
  });
});

function isSendable(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

describe('content-length', () => {
  test.each([
    ['one number', ['Content-Length', '42'], 42],
    ['nothing', ['content-length', '0'], 0],
    ['the same number twice', ['content-length', '42', 'CONTENT-LENGTH', '42'], 42],
    ['the same number in a list', ['content-length', '42, 42'], 42],
    ['no field', ['content-type', '42'], undefined],
    ['two numbers', ['content-length', '42', 'content-length', '43'], undefined],
    ['two numbers in a list', ['content-length', '42,43'], undefined],
    ['a number and nothing', ['content-length', '42,'], undefined],
    ['an empty value', ['content-length', ''], undefined],
    ['a sign', ['content-length', '+42'], undefined],
    ['a negative number', ['content-length', '-1'], undefined],
    ['hex', ['content-length', '0x10'], undefined],
    ['a fraction', ['content-length', '1.0'], undefined],
    ['an exponent', ['content-length', '1e3'], undefined],
    ['more than a number can hold exactly', ['content-length', '9007199254740993'], undefined],
  ])('%s: %j is %j', (_, headers, bytes) => {
    expect(contentLength(headers)).toBe(bytes);
  });
});

test.each(['dapr_caller_app_id', 'Dapr.Caller.App.Id', 'invoke~caller-id', 'transfer_encoding', 'dapr.api.token'])(
  '%s, which some server takes for the name with dashes, stays',
  (name) => {
    expect(endToEnd([name, 'x', 'x_other', 'y', 'x.third', 'z'])).toEqual(['x_other', 'y', 'x.third', 'z']);
  },
);

describe('what a peer sends travels on', () => {
  test('without what is hop-by-hop or claims an identity, in trailers as in heads', () => {
    const sent = ['x-a', '1', 'dapr-caller-app-id', 'admin', 'content-length', '3', 'transfer-encoding', 'chunked'];
    expect(headersFromPeer(sent)).toEqual({ ok: true, value: ['x-a', '1'] });
  });

  test('without blanks around its values, which no HTTP message has; other bytes stay', () => {
    const values = [' \t a  b \t', '\t', '\xa0a\xa0', `a${' '.repeat(50_000)}b `];
    const trimmed = ['a  b', '', '\xa0a\xa0', `a${' '.repeat(50_000)}b`];
    const fields = (list: readonly string[]) => list.flatMap((value) => ['x-a', value]);
    expect(headersFromPeer(fields(values))).toEqual({ ok: true, value: fields(trimmed) });
  });

  test('as long as it is no more than an honest peer lets through', () => {
    const fields = (count: number, value = 'x') => Array.from({ length: count }, (_, i) => [`x-${i}`, value]).flat();
    expect(headersFromPeer(fields(140)).ok).toBe(true);
    expect(headersFromPeer(fields(200)).ok).toBe(false);
    expect(headersFromPeer(fields(4, 'x'.repeat(15_000))).ok).toBe(true);
    expect(headersFromPeer(fields(4, 'x'.repeat(30_000))).ok).toBe(false);
    expect(headersFromPeer(['x y', '1']).ok).toBe(false);
  });
});
