// Whom a request is for, and which path and query it carries there.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { calleeName } from '../../api/external.ts';
import { parseNamespace } from '../../api/ids.ts';
import { must } from '../../kit/result.ts';
import { readInvocation, splitTarget } from './invocation.ts';

const OWN = must(parseNamespace('shop'));
const basic = (text: string) => ['Authorization', `Basic ${Buffer.from(text).toString('base64')}`];

function read(target: string, headers: readonly string[] = []): string {
  const invocation = readInvocation(target, headers, OWN);
  if (!invocation.ok) return invocation.error.code;
  const { path, query } = invocation.value;
  return `${calleeName(invocation.value.target)} ${path}${query === '' ? '' : ` ${query}`}`;
}

test.each([
  ['/v1.0/invoke/web/method/a/b', 'web.shop /a/b'],
  ['/v1.0/invoke/web.prod/method/a', 'web.prod /a'],
  ['/v1.0/invoke/web%2Eprod/method/a', 'web.prod /a'],
  ['/v1.0/invoke/web/method', 'web.shop /'],
  ['/v1.0/invoke/web/method/', 'web.shop /'],
  ['/v1.0/invoke/web/method?a=/method/b', 'web.shop / a=/method/b'],
  ['//v1.0///invoke//web//method//a', 'web.shop /a'],
  ['/v1.0/invoke//web/method/a', 'web.shop /a'],
  ['/v1.0/invoke/web//method/a', 'web.shop /a'],
  ['/v1.0/invoke/web', 'no-target'],
  ['/v1.0/invoke/', 'no-target'],
  ['/v1.0/invoke/web/method/v1.0/invoke/other/method/a', 'web.shop /v1.0/invoke/other/method/a'],
  ['http://localhost:3500/v1.0/invoke/web/method/a?b', 'web.shop /a b'],
  ['/v1.0/invoke/web/methods/a', 'no-target'],
  ['/v1.0/invoke//method/a', 'no-target'],
  ['/v1.0/invoke/web/../other/method/a', 'no-target'],
  ['/v1.0/Invoke/web/method/a', 'no-target'],
  ['/x/v1.0/invoke/web/method/a', 'no-target'],
  ['*', 'no-target'],
  ['/v1.0/invoke/web.a.b/method/a', 'bad-request'],
  ['/v1.0/invoke/http:%2F%2Fexample.com/method/a', 'http://example.com /a'],
  ['/v1.0/invoke/https%3A%2F%2Fexample.com%3A8443/method/a?b', 'https://example.com:8443 /a b'],
  ['/v1.0/invoke/https://example.com/method/a/b?c', 'https://example.com /a/b c'],
  ['/v1.0/invoke/https://example.com:8443/method', 'https://example.com:8443 /'],
  ['/v1.0/invoke/https:/Example.COM./method/a', 'https://example.com /a'],
  ['//v1.0///invoke//HTTPS://example.com//method//a', 'https://example.com /a'],
  ['/v1.0/invoke/https://[::1]:8443/method/a', 'https://[::1]:8443 /a'],
  ['/v1.0/invoke/https://%5B::1%5D:8443/method/a', 'https://[::1]:8443 /a'],
  ['/v1.0/invoke/https://method/method/method', 'https://method /method'],
  ['/v1.0/invoke/https://method/a', 'bad-request'],
  ['/v1.0/invoke/https://example.com/a', 'no-target'],
  ['/v1.0/invoke/https://example.com/a/method/b', 'no-target'],
  ['/v1.0/invoke/https://user@example.com/method/a', 'bad-request'],
  ['/v1.0/invoke/https://example.com%2Fx/method/a', 'bad-request'],
  ['/v1.0/invoke/ftp://example.com/method/a', 'no-target'],
  ['/v1.0/invoke/%/method/a', 'bad-request'],
  ['/v1.0/invoke/web/method/%', 'bad-request'],
])('%s is %s', (target, expected) => {
  expect(read(target)).toBe(expected);
});

test.each([
  ['/hello', /names no app: use/],
  ['/v1.0/invoke/web/hello', /names no app: use/],
  ['/v1.0/state/orders', /not in the API of this sidecar/],
  ['/v1.0-alpha1/workflows/x/start', /not in the API of this sidecar/],
])('%s is nobody, and the reason says where to look', (target, expected) => {
  const read = readInvocation(target, [], OWN);
  expect(read).toMatchObject({ ok: false, error: { code: 'no-target', message: expect.stringMatching(expected) } });
});

describe('headers', () => {
  test.each([
    [['dapr-app-id', 'web'], 'web.shop /v1.0/x q'],
    [['Invoke-App-Id', ' web '], 'web.shop /v1.0/x q'],
    [['dapr-app-id', 'web', 'invoke-app-id', 'web'], 'web.shop /v1.0/x q'],
    [['dapr-app-id', 'web', 'dapr-app-id', 'other'], 'bad-request'],
    [['dapr-app-id', ''], 'bad-request'],
    [['dapr-app-id', 'https://api.example.com:8443'], 'https://api.example.com:8443 /v1.0/x q'],
    [['dapr-app-id', 'https://api.example.com/v1'], 'bad-request'],
    [[...basic('dapr-app-id:web'), 'dapr-app-id', 'other'], 'other.shop /v1.0/x q'],
    [basic('dapr-app-id:web'), 'web.shop /v1.0/x q'],
    [basic('INVOKE-APP-ID:web.prod'), 'web.prod /v1.0/x q'],
    [['authorization', `bAsIc  ${Buffer.from('dapr-app-id:web').toString('base64')}`], 'web.shop /v1.0/x q'],
    [basic('dapr-app-id:web:x'), 'no-target'],
    [basic('dapr-app-id'), 'no-target'],
    [basic('alice:web'), 'no-target'],
    [['authorization', 'Basic !!!'], 'no-target'],
  ])('%j: %s', (headers, expected) => {
    expect(read('/v1.0/x?q', headers)).toBe(expected);
  });
});

test('a target is split at its first question mark, and never loses a byte of the query', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[!-~]*$/), fc.stringMatching(/^\/[!->@-~]*$/), (query, path) => {
      expect(splitTarget(`${path}?${query}`)).toEqual({ path, query });
      expect(splitTarget(`http://[::1]:3500${path}?${query}`)).toEqual({ path, query });
    }),
  );
});

test('a call by URL is read alike with one slash and with more, wherever they are', () => {
  const part = fc.constantFrom('v1.0', 'invoke', 'web', 'method', 'methods', 'a', '%2e', '..', 'method%2f');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 7 }), (parts) => {
      const rest = ['v1.0', 'invoke', ...parts];
      expect(read(`/${rest.join('/')}`)).toBe(read(`//${rest.join('//')}`));
    }),
  );
});

test('whatever is asked, there is an answer, and a target only for what names one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string()), (target, headers) => {
      const invocation = readInvocation(target, headers, OWN);
      if (invocation.ok) expect(invocation.value.path.startsWith('/')).toBe(true);
      else expect(['bad-request', 'no-target']).toContain(invocation.error.code);
    }),
  );
});
