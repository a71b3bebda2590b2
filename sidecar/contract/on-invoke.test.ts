// HTTP calls to an app that speaks gRPC: it is told of them by AppCallback/OnInvoke, and what it says comes back as HTTP.
import { Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  any,
  type CallbackApp,
  callbackApp,
  callbackOn,
  callbackPairForAll,
  failure,
} from '../testing/callback-app.ts';
import { grpcApp } from '../testing/grpc-app.ts';
import type { Mesh, MeshSidecar } from '../testing/mesh.ts';
import { expectFault, headerOf, RawClient, send, to } from './testing.ts';

let mesh: Mesh;
let web: MeshSidecar;
let shop: MeshSidecar;
let app: CallbackApp;
let port: number;
callbackPairForAll((pair) => {
  ({ mesh, web, shop, app } = pair);
  port = web.sidecar.ports.http;
});

const call = (path: string, more: Partial<Parameters<typeof send>[1]> = {}) =>
  send(port, { path: to('shop', path), ...more });
const seenMetadata = () => app.seen[0]?.metadata.getMap() ?? {};

describe('a call', () => {
  test.each(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH'])('by %s says so', async (method) => {
    const body = ['POST', 'PUT', 'PATCH'].includes(method) ? { body: 'x' } : {};
    const answer = await call('/orders', { method, ...body });
    expect(answer.status).toBe(200);
    expect(app.seen[0]?.request).toMatchObject({ method: 'orders', http_extension: { verb: method } });
  });

  test('by a verb that gRPC apps know no number for is refused, and not called another', async () => {
    const message = expectFault(await call('/orders', { method: 'PROPFIND' }), 'unimplemented');
    expect(message).toContain('one of GET');
    expect(app.seen).toEqual([]);
  });

  test('carries path, query, kind and bytes of its body', async () => {
    const answer = await call('/items/7?a=1&b=%20x', {
      method: 'POST',
      headers: ['content-type', 'text/plain; charset=utf-8'],
      body: 'höhe',
    });
    expect(app.seen[0]?.request).toEqual({
      method: 'items/7',
      data: { type_url: '', value: Buffer.from('höhe') },
      content_type: 'text/plain; charset=utf-8',
      http_extension: { verb: 'POST', querystring: 'a=1&b=%20x' },
    });
    expect(headerOf(answer, 'content-type')).toBe('text/plain; charset=utf-8');
    expect(headerOf(answer, 'content-length')).toBe('5');
    expect(answer.body.toString()).toBe('höhe');
  });

  test.each([
    ['/', ''],
    ['/multiple/segments', 'multiple/segments'],
    ['/a%20b/%C3%BC', 'a b/ü'],
    ['/say%22x%22*', 'say"x"*'],
    ['/a%5Cb', 'a\\b'],
    ['/100%25', '100%'],
    ['/a%2520b', 'a%20b'],
    ['/admin/../public', 'public'],
  ])('of %s is the method %j', async (path, method) => {
    expect((await call(path)).status).toBe(200);
    expect(app.seen[0]?.request.method).toBe(method);
  });

  test.each(['/a%2Fb', '/a%3Fb', '/a%23b'])(
    'of %s is refused: it would be read as another path than was judged',
    async (path) => {
      expectFault(await call(path), 'bad-request');
      expect(app.seen).toEqual([]);
    },
  );

  test('of an app to itself goes the same way', async () => {
    const answer = await send(shop.sidecar.ports.http, { path: to('shop', '/me'), method: 'POST', body: 'own' });
    expect(answer.body.toString()).toBe('own');
    expect(seenMetadata()).toMatchObject({ 'dapr-caller-app-id': 'shop' });
  });

  test('100 at once all come back, each with its own answer', async () => {
    const numbers = Array.from({ length: 100 }, (_, i) => `${i}`);
    const answers = await Promise.all(numbers.map((body) => call('/echo', { method: 'POST', body })));
    expect(answers.map(({ body }) => body.toString())).toEqual(numbers);
  });

  test('of random method, query, headers and body arrives as it was made', async () => {
    const token = fc.stringMatching(/^[a-z0-9]{1,10}$/);
    const anyCall = fc.record({
      segments: fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), { maxLength: 4 }),
      query: fc.array(fc.tuple(token, fc.string({ unit: 'grapheme', maxLength: 8 })), { maxLength: 4 }),
      header: fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/),
      body: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
      isChunked: fc.boolean(),
    });
    const isPlain = (text: string) => !/[\p{Cc}/?#\\%;]|^\.{1,2}$/u.test(text) && text.isWellFormed();
    await fc.assert(
      fc.asyncProperty(
        anyCall.filter(({ segments }) => segments.every(isPlain)),
        async ({ segments, query, header, body, isChunked }) => {
          app.reset();
          const said = new URLSearchParams(query).toString();
          const answer = await call(`/${segments.map(encodeURIComponent).join('/')}?${said}`, {
            method: 'POST',
            headers: ['x-random', header],
            body: isChunked ? [body] : body,
          });
          expect(answer.status).toBe(200);
          expect(answer.body.equals(body)).toBe(true);
          const [seen] = app.seen;
          expect(seen?.request.method).toBe(segments.join('/'));
          expect(seen?.request.http_extension?.querystring).toBe(said);
          expect(seen?.metadata.get('x-random')).toEqual([header]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('metadata', () => {
  test('is the headers, those of HTTP itself by the names that Dapr gives them', async () => {
    const headers = ['Accept', 'text/html', 'Cookie', 'a=1', 'X-Own', 'one', 'X-Own', 'two', 'User-Agent', 'test/1'];
    await call('/x', { method: 'POST', headers: [...headers, 'content-type', 'text/plain'], body: 'x' });
    expect(seenMetadata()).toMatchObject({
      'dapr-accept': 'text/html',
      'dapr-cookie': 'a=1',
      'dapr-content-type': 'text/plain',
      'user-agent': 'test/1',
    });
    expect(String(app.seen[0]?.metadata.get('x-own'))).toMatch(/^one,\s?two$/);
    expect(seenMetadata()).not.toHaveProperty('accept');
  });

  test('says who calls, from the certificate, and shows the app its token', async () => {
    await call('/x', { headers: ['Dapr-Caller-App-Id', 'admin', 'dapr-api-token', 'mine', 'x-a', '1'] });
    expect(seenMetadata()).toMatchObject({
      'dapr-caller-app-id': 'web',
      'dapr-caller-namespace': 'default',
      'dapr-callee-app-id': 'shop',
      'invoke-caller-id': 'spiffe://test.local/ns/default/web',
      'dapr-api-token': 'app-token',
    });
  });

  test('carries the trace in both spellings', async () => {
    await call('/x', { headers: ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'] });
    expect(app.seen[0]?.metadata.get('traceparent')).toEqual([
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    ]);
    const binary = '00000af7651916cd43dd8448eb211c80319c01b7ad6b71692033310201';
    expect(app.seen[0]?.metadata.get('grpc-trace-bin')).toEqual([Buffer.from(binary, 'hex')]);
  });

  test('holds nothing by which a caller could speak as gRPC', async () => {
    const headers = ['grpc-encoding', 'gzip', 'grpc-timeout', '1n', 'grpc-status', '5', "x'y", '1', 'te', 'gzip'];
    expect((await call('/x', { headers })).status).toBe(200);
    const names = Object.keys(seenMetadata()).filter((name) => name.startsWith('grpc-'));
    expect(names).toEqual(['grpc-trace-bin']);
  });
});

describe('an answer', () => {
  test('comes with the metadata of its head as headers, without what is of gRPC alone', async () => {
    app.behaviour = (got, done) => {
      const head = new Metadata();
      head.add('x-own', 'one');
      head.set('x-raw-bin', Buffer.from([1]));
      head.set('dapr-caller-app-id', 'admin');
      got.sendMetadata(head);
      const trailer = new Metadata();
      trailer.set('x-last', '1');
      done(null, { data: { value: Buffer.from('{}') }, content_type: 'application/json' }, trailer);
    };
    const answer = await call('/x');
    expect(headerOf(answer, 'x-own')).toBe('one');
    expect(headerOf(answer, 'content-type')).toBe('application/json');
    const names = answer.headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    expect(names.filter((name) => /^grpc-|-bin$|caller/.test(name))).toEqual([]);
  });

  test('without a body and without a kind is one', async () => {
    app.behaviour = (_, done) => done(null, {});
    const answer = await call('/x');
    expect([answer.status, answer.body.length, headerOf(answer, 'content-type')]).toEqual([200, 0, undefined]);
  });

  test('that is a protobuf message is labelled as one', async () => {
    app.behaviour = (_, done) =>
      done(null, { data: { type_url: 'type.x/my.Type', value: Buffer.from('m') }, content_type: 'text/plain' });
    const answer = await call('/x');
    expect([headerOf(answer, 'content-type'), answer.body.toString()]).toEqual(['application/x-protobuf', 'm']);
  });

  test.each([0, 1, 70_000, 4 * 2 ** 20])(
    'of %i bytes, and the request, pass whole; with a length, and in chunks',
    async (bytes) => {
      const body = Buffer.alloc(bytes, 'abcdefghijk');
      for (const sent of [body, [body.subarray(0, 10), body.subarray(10)]]) {
        const answer = await call('/echo', { method: 'POST', body: sent });
        expect(answer.status).toBe(200);
        expect(answer.body.equals(body)).toBe(true);
      }
    },
  );

  test.each([4 * 2 ** 20 + 1, 8 * 2 ** 20])('to a request of %i bytes is that it is too large', async (bytes) => {
    expectFault(await call('/echo', { method: 'POST', body: Buffer.alloc(bytes) }), 'body-too-large');
    expect(app.seen).toEqual([]);
  });

  test('that is larger than bodies may be is a fault that says what to do', async () => {
    app.behaviour = (_, done) => done(null, { data: { value: Buffer.alloc(5 * 2 ** 20) } });
    expect(expectFault(await call('/x'), 'app-broke')).toContain('--max-body-size');
  });

  test('that names a content type of two lines is a fault', async () => {
    app.behaviour = (_, done) => done(null, { content_type: 'text/plain\r\nset-cookie: a=1' });
    expectFault(await call('/x'), 'app-broke');
  });

  test('to a reader that reads slowly comes whole', async () => {
    app.behaviour = (_, done) => done(null, { data: { value: Buffer.alloc(4 * 2 ** 20, 'z') } });
    const client = await RawClient.connect(port);
    client.socket.pause();
    client.write(`GET ${to('shop', '/x')} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    await app.next();
    client.socket.resume();
    const received = await client.ended;
    expect(received.length - received.indexOf('\r\n\r\n') - 4).toBe(4 * 2 ** 20);
    client.socket.destroy();
  });
});

const HTTP_OF_GRPC = [200, 408, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

describe('a failure of the app', () => {
  test.each(HTTP_OF_GRPC.slice(1).map((http, i) => [i + 1, http]))(
    'of status %i is %i, and no fault of ours',
    async (code, http) => {
      app.behaviour = (_, done) => done(failure(code, 'as the app says, 100%'));
      const answer = await call('/x');
      expect(answer.status).toBe(http);
      expect(headerOf(answer, 'content-type')).toBe('application/json');
      expect(headerOf(answer, 'invoke-fault')).toBeUndefined();
      const said: Record<string, unknown> = JSON.parse(answer.body.toString());
      expect(said).toEqual({ code, message: expect.stringContaining('as the app says, 100%') });
    },
  );

  test('keeps its details, those that everybody knows spelled out', async () => {
    const info = Buffer.from('0a0444454144120473686f701a0a0a036b65791203c3bc21', 'hex');
    const details = [any('type.googleapis.com/google.rpc.ErrorInfo', info), any('type.x/my.Type', Buffer.from([1, 2]))];
    app.behaviour = (_, done) => done(failure(5, 'no such order', details));
    const answer = await call('/x');
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body.toString())).toEqual({
      code: 5,
      message: 'no such order',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'DEAD',
          domain: 'shop',
          metadata: { key: 'ü!' },
        },
        { '@type': 'type.x/my.Type', value: 'AQI=' },
      ],
    });
  });

  test('keeps the metadata that came before it', async () => {
    app.behaviour = (got, done) => {
      const head = new Metadata();
      head.set('x-own', 'one');
      got.sendMetadata(head);
      done(failure(5, 'no such order'));
    };
    const answer = await call('/x');
    expect([answer.status, headerOf(answer, 'x-own')]).toEqual([404, 'one']);
  });

  test('that does not serve OnInvoke says what to serve', async () => {
    const other = await grpcApp();
    await mesh.start('other', { config: callbackOn(other.port) });
    const answer = await send(port, { path: to('other', '/x') });
    expect(answer.status).toBe(501);
    const { code, message }: { code: number; message: string } = JSON.parse(answer.body.toString());
    expect(code).toBe(12);
    expect(message).toContain('OnInvoke');
    expect(message).toContain('call its own services over gRPC');
    other.close();
  });
});

describe('the time that a caller gives', () => {
  test('is told to the app, and its end is 504', async () => {
    const seen = app.next();
    app.behaviour = () => undefined;
    const answer = call('/slow', { headers: ['invoke-timeout', '300m'] });
    const got = await seen;
    expect(Number(got.getDeadline()) - Date.now()).toBeLessThanOrEqual(300);
    const cancelled = new Promise((told) => got.once('cancelled', told));
    expect((await answer).status).toBe(504);
    await cancelled;
  });

  test('ends when the caller goes: the app is told', async () => {
    const seen = app.next();
    app.behaviour = () => undefined;
    const client = await RawClient.connect(port);
    client.write(`POST ${to('shop', '/slow')} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi`);
    const got = await seen;
    const cancelled = new Promise((told) => got.once('cancelled', told));
    client.socket.destroy();
    await cancelled;
  });
});

describe('an app that is not there', () => {
  test('is a fault until it has started, and then it is called', async () => {
    const first = await callbackApp();
    await mesh.start('late', { config: callbackOn(first.port) });
    first.close();
    const path = to('late', '/x');
    for (const body of ['known', [Buffer.from('chunked')]])
      expect(expectFault(await send(port, { path, method: 'POST', body }), 'app-unreachable')).toContain('nothing');
    const second = await callbackApp(first.port);
    expect((await send(port, { path, method: 'POST', body: 'again' })).body.toString()).toBe('again');
    second.close();
  });
});
