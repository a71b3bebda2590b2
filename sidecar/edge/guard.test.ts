// Who may speak to the app API, from the head of a request alone.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkHead, checkToken, type GuardRules, guard } from './guard.ts';

const CLOSED: GuardRules = { apiToken: undefined, allowedOrigins: [], allowedHosts: [] };
const codeOf = (headers: readonly string[], rules = CLOSED, target = '/') => guard(headers, target, rules)?.code;

describe('hosts', () => {
  test.each(['localhost', 'Localhost:3500', '127.0.0.1', '0.0.0.0:1', '[::1]', '[::1]:3500', '[::ffff:127.0.0.1]:80'])(
    '%s is this machine',
    (host) => expect(codeOf(['Host', host])).toBeUndefined(),
  );

  test.each([
    'example.com',
    'localhost.example.com',
    'notlocalhost',
    '127.0.0.1.nip.io',
    '[::1].evil',
    '::1',
    '',
    'a@localhost',
    '[localhost]x',
  ])('%j is not', (host) => expect(codeOf(['Host', host])).toBe('origin-refused'));

  test('more of them may be allowed, by name and without regard to the port, or all', () => {
    const rules = { ...CLOSED, allowedHosts: ['sidecar.local'] };
    expect(codeOf(['Host', 'Sidecar.Local:3500'], rules)).toBeUndefined();
    expect(codeOf(['Host', 'other.local'], rules)).toBe('origin-refused');
    expect(codeOf(['Host', 'other.local'], { ...CLOSED, allowedHosts: ['*'] })).toBeUndefined();
  });

  test('the host of an absolute target counts beside the header', () => {
    expect(codeOf(['Host', 'localhost'], CLOSED, 'http://localhost:3500/x')).toBeUndefined();
    expect(codeOf(['Host', 'localhost'], CLOSED, 'HTTP://evil.example/x')).toBe('origin-refused');
    expect(codeOf(['Host', 'localhost'], CLOSED, '//evil.example/x')).toBeUndefined();
  });

  test('the message quotes no more of a host than helps', () => {
    expect(guard(['Host', `${'x'.repeat(5000)}.example`], '/', CLOSED)?.message.length).toBeLessThan(300);
  });
});

describe('origins', () => {
  const FRIEND = { ...CLOSED, allowedOrigins: ['https://friend.example'] };

  test('a program sends none and passes', () => {
    expect(codeOf(['Host', 'localhost', 'Sec-Fetch-Site', 'same-origin'])).toBeUndefined();
  });

  test.each(['https://evil.example', 'null', 'http://localhost:8080', ''])(
    'a page of %j is refused unless allowed',
    (origin) => {
      expect(codeOf(['Host', 'localhost', 'Origin', origin])).toBe('origin-refused');
      expect(codeOf(['Host', 'localhost', 'Origin', origin], { ...CLOSED, allowedOrigins: [origin] })).toBeUndefined();
      expect(codeOf(['Host', 'localhost', 'Origin', origin], { ...CLOSED, allowedOrigins: ['*'] })).toBeUndefined();
    },
  );

  test('every one of several origins has to be allowed', () => {
    expect(codeOf(['Host', 'localhost', 'Origin', 'https://friend.example'], FRIEND)).toBeUndefined();
    const two = ['Host', 'localhost', 'Origin', 'https://friend.example', 'ORIGIN', 'https://evil.example'];
    expect(codeOf(two, FRIEND)).toBe('origin-refused');
  });

  test('a page of another server of this machine is refused, though its site is the same', () => {
    expect(codeOf(['Host', 'localhost', 'Sec-Fetch-Site', 'same-site'])).toBe('origin-refused');
    const twice = ['Host', 'localhost', 'Sec-Fetch-Site', 'none', 'Sec-Fetch-Site', 'cross-site'];
    expect(codeOf(twice)).toBe('origin-refused');
  });

  test('a cross-site request without an Origin (an image, a form) is refused', () => {
    expect(codeOf(['Host', 'localhost', 'Sec-Fetch-Site', 'cross-site'], FRIEND)).toBe('origin-refused');
    expect(
      codeOf(['Host', 'localhost', 'Sec-Fetch-Site', 'cross-site'], { ...CLOSED, allowedOrigins: ['*'] }),
    ).toBeUndefined();
  });
});

test('more than 128 fields are too many, whatever they are', () => {
  const fields = (count: number) =>
    Array.from({ length: count }, (_, i) => (i === 0 ? ['Host', 'localhost'] : ['x', String(i)])).flat();
  expect(codeOf(fields(128))).toBeUndefined();
  expect(codeOf(fields(129))).toBe('headers-too-large');
});

describe('heads', () => {
  test.each([
    [[], '1.1', 'bad-request'],
    [[], '1.0', undefined],
    [['Host', 'a'], '1.1', undefined],
    [['Host', 'a', 'host', 'a'], '1.1', 'bad-request'],
    [['Host', 'a', 'host', 'a'], '1.0', 'bad-request'],
    [['Host', 'a', 'Transfer-Encoding', ' Chunked '], '1.1', undefined],
    [['Host', 'a', 'Transfer-Encoding', 'chunked'], '1.0', 'bad-request'],
    [['Host', 'a', 'Transfer-Encoding', 'gzip, chunked'], '1.1', 'unimplemented'],
    [['Host', 'a', 'Transfer-Encoding', 'gzip', 'Transfer-Encoding', 'chunked'], '1.1', 'unimplemented'],
    [['Host', 'a', 'Transfer-Encoding', 'chunked, chunked'], '1.1', 'unimplemented'],
    [['Host', 'a', 'Transfer-Encoding', 'chunked, gzip'], '1.1', 'bad-request'],
    [['Host', 'a', 'Transfer-Encoding', 'identity'], '1.1', 'bad-request'],
    [['Host', 'a', 'Transfer-Encoding', ''], '1.1', 'bad-request'],
  ])('%j in HTTP/%s: %s', (headers, version, code) => {
    expect(checkHead(headers, version)?.code).toBe(code);
  });
});

describe('the token', () => {
  test('is not asked for where there is none', () => {
    expect(checkToken([], undefined)).toBeUndefined();
  });

  test('lets through its very self and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (token, guess) => {
        expect(checkToken(['Dapr-Api-Token', token], token)).toBeUndefined();
        expect(checkToken(['dapr-api-token', guess], token)?.code).toBe(guess === token ? undefined : 'token-invalid');
      }),
    );
  });

  test('is never told in the refusal', () => {
    expect(checkToken(['dapr-api-token', 'guess'], 'secret')?.message).not.toMatch(/secret|guess/);
  });
});
