// How much InvokeService carries, what random calls come to, and that the app hears when its caller has given up.
import type { IncomingMessage } from 'node:http';
import { status as Code } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { VERBS } from '../../api/proto/peer.ts';
import { DaprClient, invokeMessage } from '../testing/dapr-client.ts';
import { faultOf } from '../testing/grpc-app.ts';
import { gotValues, type Pair, pairForAll, send, to } from './testing.ts';

const MIB = 1024 * 1024;
const LIMIT = 4 * MIB;

let pair: Pair;
let client: DaprClient;
pairForAll(async (started) => {
  pair = started;
  client = new DaprClient(pair.caller.sidecar.ports.grpc);
  await pair.mesh.start('small', { handler: pair.app.listener, config: { bodyBytesMax: 1000 } });
});
afterAll(() => client.close());

describe('a body', () => {
  test.each([0, MIB, LIMIT])('of %i bytes passes both ways', async (bytes) => {
    const body = Buffer.alloc(bytes, 'abcdefghijk');
    const { status, response } = await client.invoke({
      method: 'a'.repeat(2000),
      query: 'q',
      contentType: 'x/y',
      body,
    });
    expect(status.code).toBe(Code.OK);
    expect(response?.body.equals(body)).toBe(true);
  });

  test.each([LIMIT + 1, 2 * LIMIT])('of %i bytes is RESOURCE_EXHAUSTED, and the app hears nothing', async (bytes) => {
    const outcome = await client.invoke({ method: 'a', body: Buffer.alloc(bytes) });
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.RESOURCE_EXHAUSTED, 'body-too-large']);
    expect(pair.app.seen).toEqual([]);
  });

  test('may be too large for the called app alone', async () => {
    const fits = await client.invoke({ id: 'small', method: 'a', body: Buffer.alloc(1000) });
    expect(fits.status.code).toBe(Code.OK);
    const outcome = await client.invoke({ id: 'small', method: 'a', body: Buffer.alloc(1001) });
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.RESOURCE_EXHAUSTED, 'body-too-large']);
  });
});

describe.each([
  ['with a length', true],
  ['without one', false],
])('an answer %s', (_how, hasLength) => {
  const answerWith = (bytes: number) => {
    const body = Buffer.alloc(bytes, 'x');
    pair.app.handler = (_request, response) => {
      if (hasLength) response.setHeader('content-length', bytes);
      response.write(body.subarray(0, 10));
      response.end(body.subarray(10));
    };
  };

  test('of 4 MiB passes; one byte more is RESOURCE_EXHAUSTED, with advice, and fine over HTTP', async () => {
    answerWith(LIMIT);
    expect((await client.invoke({ method: 'a', verb: 1 })).response?.body).toHaveLength(LIMIT);
    answerWith(LIMIT + 1);
    const outcome = await client.invoke({ method: 'a', verb: 1 });
    expect([outcome.status.code, faultOf(outcome)]).toEqual([Code.RESOURCE_EXHAUSTED, 'body-too-large']);
    expect(outcome.status.details).toMatch(/call over HTTP, or raise --max-body-size/);
    expect((await send(pair.port, { path: to('callee') })).body).toHaveLength(LIMIT + 1);
  });
});

test('any call arrives as it was made, and so does its answer', async () => {
  const segment = fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 8 });
  // What a path may be made of, as text: no control bytes, no query, and no dots that would climb.
  const name = segment.filter((text) => !/[\x00-\x1f\x7f/?#;\\%.]/.test(text) && text.isWellFormed());
  const pair_ = fc.tuple(fc.stringMatching(/^[a-z0-9]{1,6}$/), fc.stringMatching(/^[a-zA-Z0-9%&=+-]{0,8}$/));
  const calls = fc.record({
    method: fc.array(name, { minLength: 1, maxLength: 4 }),
    verb: fc.constantFrom(1, 3, 4, 5, 9),
    query: fc.array(pair_, { maxLength: 3 }),
    body: fc.uint8Array({ maxLength: 300 }),
    headers: fc.dictionary(fc.stringMatching(/^x-[a-z]{1,8}$/), fc.stringMatching(/^[!-~]([ -~]{0,10}[!-~])?$/), {
      maxKeys: 4,
    }),
  });
  await fc.assert(
    fc.asyncProperty(calls, async ({ method, verb, query, body, headers }) => {
      pair.app.seen.length = 0;
      const text = query.map(([key, value]) => `${key}=${value}`).join('&');
      const call = { method: method.join('/'), verb, query: text, body: Buffer.from(body) };
      const { response } = await client.invoke(call, headers);
      const [seen] = pair.app.seen;
      const [path = '', ...rest] = (seen?.url ?? '').split('?');
      expect([seen?.method, rest.join('?')]).toEqual([VERBS[verb], text]);
      expect(path.slice(1).split('/').map(decodeURIComponent)).toEqual(method);
      expect(response?.body.equals(Buffer.from(body))).toBe(true);
      for (const [key, value] of Object.entries(headers)) expect(gotValues(seen, key)).toEqual([value]);
    }),
    { numRuns: 60 },
  );
});

function closeOf(request: IncomingMessage): Promise<unknown> {
  return new Promise((closed) => request.socket.once('close', closed));
}

describe('a caller that gives up', () => {
  test('is heard by the app', async () => {
    const arrived = pair.app.next();
    pair.app.handler = () => undefined;
    const stream = client.caller.open('/dapr.proto.runtime.v1.Dapr/InvokeService');
    stream.on('error', () => undefined);
    stream.end(client.encode('InvokeService', invokeMessage({ method: 'a', body: 'x' })));
    const request = await arrived;
    const closed = closeOf(request);
    stream.cancel();
    await closed;
  });

  test('by its deadline is told so by its sidecar, and the app is told what is left and then hears of the end', async () => {
    const arrived = pair.app.next();
    pair.app.handler = () => undefined;
    const outcome = client.invoke({ method: 'a' }, { 'grpc-timeout': '200m' });
    const request = await arrived;
    const closed = closeOf(request);
    expect(Number.parseInt(gotValues(request, 'invoke-timeout')[0] ?? '', 10)).toBeGreaterThan(0);
    expect([(await outcome).status.code, faultOf(await outcome)]).toEqual([Code.DEADLINE_EXCEEDED, 'timeout']);
    await closed;
  });

  test('by a deadline that cannot be read is told so', async () => {
    const outcome = await client.invoke({ method: 'a' }, { 'grpc-timeout': 'soon' });
    expect([outcome.status.code, outcome.status.details]).toEqual([
      Code.INVALID_ARGUMENT,
      expect.stringMatching(/grpc-timeout.*such as 500m/),
    ]);
  });
});

test('an app that breaks off its answer is a fault, also when some of it has come', async () => {
  pair.app.handler = (_request, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('half', () => response.socket?.destroy());
  };
  const outcome = await client.invoke({ method: 'a' });
  expect([outcome.status.code, faultOf(outcome), outcome.messages]).toEqual([Code.INTERNAL, 'app-broke', []]);
});
