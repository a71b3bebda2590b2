// Bodies of callers that speak HTTP/2: they stream both ways as those of HTTP/1.1 do, and one holds up no other.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectFault, gotNames, gotValues, headerOf, type Pair, pairForAll, to } from './testing.ts';
import { answerOf, Http2Caller, received } from './testing-http2.ts';

let pair: Pair;
let caller: Http2Caller;
pairForAll((started) => {
  pair = started;
});
beforeAll(async () => {
  caller = await Http2Caller.connect(pair.port);
});
afterAll(() => caller.close());

/** The app holds its answer to this path open, for the test to write. */
const held = (path: string) =>
  new Promise<ServerResponse>((called) => {
    pair.app.handler = (request, response) => {
      if (request.url === path) called(response);
      else response.end('quick');
    };
  });

test('ten events arrive one by one while the stream is open, and a caller that resets it cancels the call', async () => {
  const called = held('/events');
  const stream = caller.open({ path: to('callee', '/events'), headers: ['accept', 'text/event-stream'] });
  stream.end();
  const response = await called;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let i = 0; i < 10; i++) {
    response.write(`data: event ${i}\n\n`);
    await received(stream, new RegExp(`event ${i}\n\n`));
  }
  const closed = once(response, 'close');
  stream.close();
  await closed;
  expect(response.writableFinished).toBe(false);
});

test('a body arrives piece by piece, and an answer may come before its end', async () => {
  pair.app.handler = (request, response) => request.once('data', (first: Buffer) => response.end(first));
  const stream = caller.open({ method: 'POST', path: to('callee') });
  stream.write('first');
  const answer = await answerOf(stream);
  expect(answer).toMatchObject({ status: 200, isWhole: true, body: Buffer.from('first') });
});

test('trailers pass both ways', async () => {
  const trailers = new Promise<readonly string[]>((tell) => {
    pair.app.handler = (request, response) => {
      request.resume().on('end', () => {
        tell(request.rawTrailers);
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('a');
        response.addTrailers({ 'X-Sum': '2' });
        response.end();
      });
    };
  });
  const stream = caller.session.request({ ':method': 'POST', ':path': to('callee') }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-in': '1', 'dapr-caller-app-id': 'forged' }));
  const answered = answerOf(stream);
  stream.end('body');
  expect((await answered).trailers).toEqual(['x-sum', '2']);
  expect((await trailers).map((text) => text.toLowerCase())).toEqual(['x-in', '1']);
});

test('HEAD has the length of GET, and no body', async () => {
  pair.app.handler = (_request, response) => response.writeHead(200, { 'content-length': 12345 }).end();
  const answer = await caller.send({ method: 'HEAD', path: to('callee') });
  expect(answer).toMatchObject({ status: 200, isWhole: true, body: Buffer.alloc(0) });
  expect(headerOf(answer, 'content-length')).toBe('12345');
});

test('100-continue comes once the call is permitted, and a refusal instead where it is not', async () => {
  const permitted = caller.open({ method: 'POST', path: to('callee'), headers: ['expect', '100-continue'] });
  const answered = answerOf(permitted);
  await once(permitted, 'continue');
  permitted.end('hello');
  expect((await answered).body.toString()).toBe('hello');
  expect(gotNames(pair.app.seen[0])).not.toContain('expect');
  const refused = caller.open({ method: 'POST', path: to('nobody'), headers: ['expect', '100-continue'] });
  let continues = 0;
  refused.on('continue', () => continues++);
  expectFault(await answerOf(refused), 'unknown-app');
  expect(continues).toBe(0);
});

test("the app's informational answers are dropped", async () => {
  pair.app.handler = (_request, response) => {
    response.writeProcessing();
    response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('x'));
  };
  const stream = caller.open({ path: to('callee') });
  let informational = 0;
  stream.on('headers', () => informational++);
  stream.end();
  expect((await answerOf(stream)).body.toString()).toBe('x');
  expect(informational).toBe(0);
});

test('an app that breaks its answer off breaks it off for the caller', async () => {
  pair.app.handler = (request, response) => {
    response.write('half');
    setImmediate(() => request.socket.resetAndDestroy());
  };
  const outcome = await caller.send({ path: to('callee') });
  expect(outcome.isWhole && outcome.status === 200).toBe(false);
});

test('a caller that does not read one answer holds up that one alone', async () => {
  const called = held('/much');
  const slow = caller.open({ path: to('callee', '/much') });
  slow.end();
  const response = await called;
  const piece = Buffer.alloc(1024 * 1024);
  let written = 0;
  while (written < 256 && response.write(piece)) written++;
  expect(written).toBeLessThan(256);
  expect((await caller.send({ path: to('callee') })).body.toString()).toBe('quick');
  const closed = once(response, 'close');
  slow.close();
  await closed;
});

/** Fields that end in `-bin` are gRPC's, and do not travel over HTTP. */
const token = fc.stringMatching(/^[a-z][-a-z0-9]{0,20}$/).filter((name) => !name.endsWith('-bin'));
const value = fc.stringMatching(/^[\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff]{0,40}[\x21-\x7e\x80-\xff])?$/);
const anyCall = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'QUERY'),
  path: fc
    .array(fc.stringMatching(/^[-_~0-9A-Za-z!$&'()*+,=:@]{1,20}$/), { maxLength: 4 })
    .map((all) => `/${all.join('/')}`),
  query: fc.stringMatching(/^(\?[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*)?$/),
  fields: fc.array(
    fc.tuple(
      token.map((name) => `x-${name}`),
      value,
    ),
    { maxLength: 6 },
  ),
  body: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
  app: fc.constantFrom('callee', 'caller'),
});

test('any verb, path, query, header value and body round-trip unchanged, to another app and to oneself', async () => {
  await fc.assert(
    fc.asyncProperty(anyCall, async ({ method, path, query, fields, body, app }) => {
      const target = app === 'callee' ? pair.app : pair.ownApp;
      target.reset();
      const answer = await caller.send({ method, path: to(app, path + query), headers: fields.flat(), body });
      const [got] = target.seen;
      expect([answer.status, got?.method, got?.url]).toEqual([200, method, path + (query === '?' ? '' : query)]);
      for (const [name] of fields)
        expect(gotValues(got, name)).toEqual(fields.filter(([other]) => other === name).map(([, text]) => text));
      expect(answer.body.equals(body)).toBe(true);
    }),
    { numRuns: 100 },
  );
});
