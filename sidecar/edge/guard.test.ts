// Who may speak to the app API, from the head of a request alone.
import { METHODS } from 'node:http';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkAsked, checkToken, type GuardRules, guard } from './guard.ts';

const CLOSED: GuardRules = { apiToken: undefined, allowedOrigins: [], allowedHosts: [] };
const ofHost = (authority: string | undefined, rules = CLOSED) => guard(authority, [], rules)?.code;
const codeOf = (fields: readonly string[], rules = CLOSED) => guard('localhost', fields, rules)?.code;

describe('hosts', () => {
  test.each(['localhost', 'Localhost:3500', '127.0.0.1', '10.0.0.7:1', '[::1]', '[::1]:3500', '[fd00::ffff:1]:80'])(
    '%s is this machine',
    (host) => expect(ofHost(host)).toBeUndefined(),
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
  ])('%j is not, however often it is said', (host) => {
    for (const _ of [1, 2, 3]) expect(ofHost(host)).toBe('origin-refused');
  });

  // Pages ask for these, and their browsers do not say so: to them it is no loopback.
  test.each([
    '0.0.0.0',
    '0.0.0.0:3500',
    '[::]:3500',
    '[0:0:0:0:0:0:0:0]',
    '[::ffff:127.0.0.1]:80',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:FFFF:7f00:1]:3500',
  ])('%s leads here and is not said by programs, but where it is allowed', (host) => {
    for (const _ of [1, 2]) expect(ofHost(host)).toBe('origin-refused');
    expect(ofHost(host, { ...CLOSED, allowedHosts: ['*'] })).toBeUndefined();
  });

  test('more of them may be allowed, by name and without regard to the port, or all', () => {
    const rules = { ...CLOSED, allowedHosts: ['sidecar.local'] };
    expect(ofHost('Sidecar.Local:3500', rules)).toBeUndefined();
    expect(ofHost('other.local', rules)).toBe('origin-refused');
    expect(ofHost('other.local', { ...CLOSED, allowedHosts: ['*'] })).toBeUndefined();
  });

  test('what one sidecar allows is not remembered for another', () => {
    for (const allowedHosts of [['sidecar.test'], ['*']]) {
      expect(ofHost('sidecar.test:3500', { ...CLOSED, allowedHosts })).toBeUndefined();
      expect(ofHost('sidecar.test:3500')).toBe('origin-refused');
    }
  });

  test('of many addresses each is this machine, and no name among them is', () => {
    for (let port = 1; port <= 300; port++) {
      expect(ofHost(`127.0.0.1:${port}`)).toBeUndefined();
      expect(ofHost(`localhost.test:${port}`)).toBe('origin-refused');
    }
    expect(ofHost('127.0.0.1:1')).toBeUndefined();
  });

  test('no host at all, which HTTP/1.0 allows, is nobody else', () => {
    expect(ofHost(undefined)).toBeUndefined();
  });

  test('the message quotes no more of a host than helps', () => {
    expect(guard(`${'x'.repeat(5000)}.example`, [], CLOSED)?.message.length).toBeLessThan(300);
  });
});

describe('origins', () => {
  const FRIEND = { ...CLOSED, allowedOrigins: ['https://friend.example'] };

  test('a program sends none and passes', () => {
    expect(codeOf(['sec-fetch-site', 'same-origin'])).toBeUndefined();
  });

  test.each(['https://evil.example', 'null', 'http://localhost:8080', ''])(
    'a page of %j is refused unless allowed',
    (origin) => {
      expect(codeOf(['origin', origin])).toBe('origin-refused');
      expect(codeOf(['origin', origin], { ...CLOSED, allowedOrigins: [origin] })).toBeUndefined();
      expect(codeOf(['origin', origin], { ...CLOSED, allowedOrigins: ['*'] })).toBeUndefined();
    },
  );

  test('every one of several origins has to be allowed', () => {
    expect(codeOf(['origin', 'https://friend.example'], FRIEND)).toBeUndefined();
    const two = ['origin', 'https://friend.example', 'origin', 'https://evil.example'];
    expect(codeOf(two, FRIEND)).toBe('origin-refused');
  });

  test('a page of another server of this machine is refused, though its site is the same', () => {
    expect(codeOf(['sec-fetch-site', 'same-site'])).toBe('origin-refused');
    const twice = ['sec-fetch-site', 'none', 'sec-fetch-site', 'cross-site'];
    expect(codeOf(twice)).toBe('origin-refused');
  });

  test('a cross-site request without an Origin (an image, a form) is refused', () => {
    expect(codeOf(['sec-fetch-site', 'cross-site'], FRIEND)).toBe('origin-refused');
    expect(codeOf(['sec-fetch-site', 'cross-site'], { ...CLOSED, allowedOrigins: ['*'] })).toBeUndefined();
  });
});

describe('what nobody is served', () => {
  const asked = (method: string, fields: readonly string[] = []) => checkAsked(method, fields)?.code;

  test('a tunnel, a verb that nobody knows, an expectation that nobody knows', () => {
    expect(asked('CONNECT')).toBe('method-refused');
    for (const verb of ['get', 'Get', 'FETCH', 'PRI', '__proto__', 'constructor'])
      expect(asked(verb)).toBe('bad-request');
    expect(asked('POST', ['expect', '200-ok'])).toBe('bad-request');
    expect(asked('POST', ['accept', 'expect'])).toBeUndefined();
  });

  test.each(METHODS.filter((method) => method !== 'CONNECT'))('%s, which apps know, is', (method) => {
    expect(asked(method)).toBeUndefined();
  });
});

describe('the token', () => {
  test('is not asked for where there is none', () => {
    expect(checkToken([], undefined)).toBeUndefined();
  });

  test('lets through its very self and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (token, guess) => {
        expect(checkToken(['dapr-api-token', token], token)).toBeUndefined();
        expect(checkToken(['dapr-api-token', guess], token)?.code).toBe(guess === token ? undefined : 'token-invalid');
      }),
    );
  });

  test('is never told in the refusal', () => {
    expect(checkToken(['dapr-api-token', 'guess'], 'secret')?.message).not.toMatch(/secret|guess/);
  });
});
