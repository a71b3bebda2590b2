// Whatever an app says through two sidecars arrives as it was said: verbs, statuses, bodies, redirects.
import { randomBytes } from 'node:crypto';
import { METHODS } from 'node:http';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gotValues, headerOf, type Pair, pairForAll, send, to } from './testing.ts';

let pair: Pair;
pairForAll((started) => {
  pair = started;
});

test.each([
  ['GET', 200],
  ['POST', 201],
  ['PUT', 202],
  ['DELETE', 409],
  ['PATCH', 502],
])('%s passes with the status %d that the app chose, and with both bodies', async (method, status) => {
  pair.app.handler = (request, response) => {
    response.writeHead(status, { 'x-method': request.method });
    request.pipe(response);
  };
  const answer = await send(pair.port, { method, path: to('callee', '/echo'), body: `of ${method}` });
  expect(answer).toMatchObject({ status, isWhole: true, body: Buffer.from(`of ${method}`) });
  expect(headerOf(answer, 'x-method')).toBe(method);
  expect(headerOf(answer, 'invoke-fault')).toBeUndefined();
});

test('a verb outside the usual ones arrives as itself', async () => {
  const answer = await send(pair.port, { method: 'PROPFIND', path: to('callee', '/dav'), body: '<propfind/>' });
  expect(answer.status).toBe(200);
  expect(pair.app.seen[0]?.method).toBe('PROPFIND');
  expect(answer.body.toString()).toBe('<propfind/>');
});

test.each([301, 302, 303, 307, 308])('a redirect (%d) goes back to the caller, unfollowed', async (status) => {
  pair.app.handler = (_request, response) => response.writeHead(status, { location: '/elsewhere' }).end();
  const answer = await send(pair.port, { path: to('callee', '/moved') });
  expect(answer.status).toBe(status);
  expect(headerOf(answer, 'location')).toBe('/elsewhere');
  expect(pair.app.seen).toHaveLength(1);
});

test("the app's own 404 is passed on as the app's, not as ours", async () => {
  pair.app.handler = (_request, response) => response.writeHead(404).end('no such page');
  const answer = await send(pair.port, { path: to('callee', '/nowhere') });
  expect(answer).toMatchObject({ status: 404, body: Buffer.from('no such page') });
  expect(headerOf(answer, 'invoke-fault')).toBeUndefined();
});

test('a hundred calls at once get their own bodies back', async () => {
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  const answers = await Promise.all(
    numbers.map((i) => send(pair.port, { method: 'POST', path: to('callee', `/${i}`), body: `call ${i}` })),
  );
  expect(answers.map(({ body }) => body.toString())).toEqual(numbers.map((i) => `call ${i}`));
});

test.each([
  ['400 with a small body', 400, Buffer.from('{"error":"too few apples"}')],
  ['500 with 1 MB', 500, randomBytes(1024 * 1024)],
])('an error answer, %s, passes whole', async (_what, status, body) => {
  pair.app.handler = (_request, response) => response.writeHead(status).end(body);
  const answer = await send(pair.port, { method: 'POST', path: to('callee', '/fails'), body: 'x' });
  expect(answer).toMatchObject({ status, isWhole: true });
  expect(answer.body.equals(body)).toBe(true);
});

test('content types travel both ways; none is made up where none was sent', async () => {
  const typed = await send(pair.port, {
    method: 'POST',
    path: to('callee'),
    headers: ['content-type', 'text/x-odd; a="b"'],
    body: 'x',
  });
  expect(headerOf(typed, 'content-type')).toBe('text/x-odd; a="b"');
  pair.app.handler = (_request, response) => response.writeHead(200).end('x');
  const bare = await send(pair.port, { method: 'POST', path: to('callee'), body: 'x' });
  expect(gotValues(pair.app.seen[1], 'content-type')).toEqual([]);
  expect(headerOf(bare, 'content-type')).toBeUndefined();
});

/** CONNECT is refused; PRI and the like are not requests. */
const VERBS = METHODS.filter((method) => method !== 'CONNECT');
const BODILESS = new Set(['HEAD']);

const byteString = (low: number, high: number) =>
  fc
    .array(fc.integer({ min: low, max: high }).filter((code) => code !== 0x7f))
    .map((codes) => String.fromCharCode(...codes));
/** Field values lose spaces at both ends on any HTTP connection. */
const fieldValue = byteString(0x20, 0xff)
  .map((value) => value.trim())
  .filter((value) => /^[\x21-\x7e\x80-\xff]/.test(value) && /[\x21-\x7e\x80-\xff]$/.test(value));
const query = byteString(0x21, 0x7e).map((text) => text.replaceAll('#', ''));
const segment = fc.stringMatching(/^[-_~0-9A-Za-z!$&'()*+,=:@]{1,20}$/);

const anyCall = fc.record({
  method: fc.constantFrom(...VERBS),
  segments: fc.array(segment, { maxLength: 5 }),
  query,
  values: fc.array(fieldValue, { maxLength: 5 }),
  body: fc.uint8Array({ maxLength: 3000 }),
  isChunked: fc.boolean(),
  app: fc.constantFrom('callee', 'caller'),
});

type AnyCall = typeof anyCall extends fc.Arbitrary<infer T> ? T : never;

test('any verb, path, query, header value and body round-trip unchanged, to another app and to oneself', async () => {
  const one = async ({ method, segments, query, values, body, isChunked, app }: AnyCall) => {
    const target = app === 'callee' ? pair.app : pair.ownApp;
    target.reset();
    const path = `/${segments.join('/')}`;
    const bytes = Buffer.from(body);
    const answer = await send(pair.port, {
      method,
      path: to(app, query === '' ? path : `${path}?${query}`),
      headers: values.flatMap((value) => ['X-Odd', value]),
      body: isChunked ? [bytes].filter(({ length }) => length > 0) : bytes,
    });
    const [got] = target.seen;
    expect([answer.status, got?.method, got?.url]).toEqual([200, method, query === '' ? path : `${path}?${query}`]);
    expect(gotValues(got, 'x-odd')).toEqual(values);
    if (!BODILESS.has(method)) expect(answer.body.equals(bytes)).toBe(true);
  };
  await fc.assert(fc.asyncProperty(anyCall, one), { numRuns: 150 });
});
