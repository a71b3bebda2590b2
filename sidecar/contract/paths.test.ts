// One spelling of a path, judged and dispatched: what the app sees of it, and what is refused before it sees anything.
import { describe, expect, test } from 'vitest';
import { exchangeRaw, expectFault, type Pair, pairForAll, parseRaw, send, to } from './testing.ts';

let pair: Pair;
pairForAll((started) => {
  pair = started;
});

const forms = [
  ['URL form, to another app', (path: string) => ({ path: to('callee', path) })],
  ['header form, to another app', (path: string) => ({ path, headers: ['dapr-app-id', 'callee'] })],
  ['URL form, to oneself', (path: string) => ({ path: to('caller', path) })],
] as const;

describe.each(forms)('in the %s', (_form, addressed) => {
  const seen = () => [...pair.app.seen, ...pair.ownApp.seen];

  test.each([
    ['/a%23b', '/a%23b'],
    ['/a%3Fb', '/a%3Fb'],
    ['/100%25', '/100%25'],
    ['/%22quoted%22', '/%22quoted%22'],
    ['/a%5Cb', '/a%5Cb'],
    ['/a%5cb', '/a%5Cb'],
    ['/items/a%2Fb', '/items/a%2Fb'],
    ['/items/a%2fb', '/items/a%2Fb'],
    ['/a%2Ab', '/a%2Ab'],
    ['/a*b', '/a*b'],
    ['/%61%7E', '/a~'],
    ['/caf%C3%A9', '/caf%C3%A9'],
    ['/a;v=1/b', '/a;v=1/b'],
    ['/a/../b', '/b'],
    ['/../../b', '/b'],
    ['/a/./b/%2e%2E/c', '/a/c'],
    ['/a//b/', '/a/b/'],
  ])('%s reaches the app as %s', async (path, expected) => {
    expect((await send(pair.port, addressed(path))).status).toBe(200);
    expect(seen().map(({ url }) => url)).toEqual([expected]);
  });

  test.each([
    ['/a%', /two hex digits/],
    ['/a%zz', /two hex digits/],
    ['/a%00b', /control byte/],
    ['/a%0D%0Ab', /control byte/],
    ['/a%7F', /control byte/],
    ['/%C0%AF', /UTF-8/],
    ['/%FF', /UTF-8/],
    ['/a%2F..%2Fpublic', /dot segment/],
    ['/..%5Cpublic', /dot segment/],
    ['/a/..;/public', /dot segment/],
    ['/%252e%252e/public', /dot segment/],
    ['/a%252F..%252Fpublic', /dot segment/],
  ])('%s is 400, and no app sees it', async (path, why) => {
    const message = expectFault(await send(pair.port, addressed(path)), 'bad-request');
    expect(message).toMatch(why);
    expect(message).toContain('nothing was called');
    expect(seen()).toEqual([]);
  });

  test('a query passes byte for byte, dots, percent signs and all', async () => {
    const query = 'a=%2f..%2F&b=../..&c=%zz&d=[x]{y}|"\'<>`&&=?/';
    await send(pair.port, addressed(`/x?${query}`));
    expect(seen()[0]?.url).toBe(`/x?${query}`);
  });

  test.each(['\t', '\f', '\x01', '\x7f', '\xe9'])('a query that holds the byte %j is 400', async (byte) => {
    const { path, headers = [] } = { headers: [], ...addressed(`/x?a${byte}b`) };
    const fields = ['Host', 'localhost', 'Connection', 'close', ...headers];
    const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}\r\n`] : []));
    expectFault(parseRaw(await exchangeRaw(pair.port, `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)), 'bad-request');
    expect(seen()).toEqual([]);
  });
});

test('the part of a traversal that lies before the method cannot change whom the call is for', async () => {
  expectFault(await send(pair.port, { path: '/v1.0/invoke/callee/../caller/method/x' }), 'no-target');
  await send(pair.port, { path: to('callee', '/../../caller/method/x') });
  expect(pair.app.seen.map(({ url }) => url)).toEqual(['/caller/method/x']);
  expect(pair.ownApp.seen).toEqual([]);
});
