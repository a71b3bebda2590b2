// An app that speaks gRPC at one end of a call, and somebody else than us at the other: a Dapr sidecar, whose way of saying a gRPC
// status and the type of a body ours shares; and callers by gRPC, to whom the app's own words come home.
import { Metadata } from '@grpc/grpc-js';
import { afterAll, describe, expect, test } from 'vitest';
import { any, type CallbackApp, callbackPairForAll, failure } from '../testing/callback-app.ts';
import { DaprClient } from '../testing/dapr-client.ts';
import { DaprCaller, daprSidecar, type Message } from '../testing/dapr-sidecar.ts';
import type { Mesh, MeshSidecar } from '../testing/mesh.ts';
import { headerOf, send, to } from './testing.ts';

let mesh: Mesh;
let web: MeshSidecar;
let app: CallbackApp;
let dapr: DaprCaller;
let client: DaprClient;
callbackPairForAll((pair) => {
  ({ mesh, web, app } = pair);
  dapr = new DaprCaller(mesh, pair.shop);
  client = new DaprClient(web.sidecar.ports.grpc);
});
afterAll(() => {
  dapr.close();
  client.close();
});

const DETAIL = any('type.x/my.Type', Buffer.from([1, 2, 3]));
const DETAIL_READ = { type_url: 'type.x/my.Type', value: Buffer.from([1, 2, 3]) };
const noSuchOrder = failure(5, 'no such order: ü', [DETAIL]);

/** Says what it got, and that it is of a type. */
function answerTyped(): void {
  app.behaviour = ({ request }, done) => {
    const said = `${request.data?.value}/${request.data?.type_url}`;
    done(null, { data: { type_url: 'mytype', value: Buffer.from(said) }, content_type: 'application/json' });
  };
}

describe('a Dapr sidecar calls', () => {
  /** As of a caller by gRPC that said neither a verb nor a query. */
  const typed = (value?: Buffer): Message => ({
    ver: 1,
    metadata: { 'x-own': { values: ['1'] }, 'dapr-caller-app-id': { values: ['admin'] } },
    message: { method: 'typed', data: { type_url: 'pfm', ...(value && { value }) } },
  });

  test('in one message, with a typed body and no verb', async () => {
    answerTyped();
    const reply = await dapr.unary(typed(Buffer.from('settembre')));
    expect(app.seen[0]?.request).toMatchObject({
      method: 'typed',
      content_type: 'application/x-protobuf',
      http_extension: { verb: 'POST' },
    });
    expect(app.seen[0]?.metadata.get('dapr-caller-app-id')).toEqual(['dapr-web']);
    expect(reply).toMatchObject({
      status: { code: 200 },
      message: { content_type: 'application/json', data: { type_url: 'mytype', value: Buffer.from('settembre/pfm') } },
    });
  });

  test('by a stream, which says the type with the head and the body after it', async () => {
    answerTyped();
    const pieces = ['sett', 'embre'].map((piece, seq) => ({ data: Buffer.from(piece), seq }));
    const replies = await dapr.stream([{ request: typed(), payload: pieces[0] }, { payload: pieces[1] }]);
    expect(replies[0]?.response).toMatchObject({
      status: { code: 200 },
      message: { content_type: 'application/json', data: { type_url: 'mytype' } },
    });
    expect(Buffer.concat(replies.flatMap(({ payload }) => payload?.data ?? [])).toString()).toBe('settembre/pfm');
  });

  test('for a caller by HTTP, whose header names come in capitals', async () => {
    const metadata = {
      Accept: { values: ['a/b'] },
      'Content-Type': { values: ['text/plain'] },
      'X-Own': { values: ['1'] },
    };
    const message = { method: 'a b', content_type: 'text/plain', http_extension: { verb: 1, querystring: 'q=1' } };
    await dapr.unary({ ver: 1, metadata, message });
    expect(app.seen[0]?.request).toMatchObject({
      method: 'a b',
      content_type: 'text/plain',
      http_extension: { verb: 'GET', querystring: 'q=1' },
    });
    expect(app.seen[0]?.metadata.getMap()).toMatchObject({ 'dapr-accept': 'a/b', 'x-own': '1' });
  });

  test('and is told of a failure as the gRPC status that it is, by either method', async () => {
    app.behaviour = (_, done) => done(noSuchOrder);
    const status = { code: 5, message: 'no such order: ü', details: [DETAIL_READ] };
    expect(await dapr.unary(typed())).toMatchObject({ status });
    const replies = await dapr.stream([{ request: typed() }]);
    expect(replies).toHaveLength(1);
    expect(replies[0]?.response).toMatchObject({ status });
  });
});

describe('a Dapr sidecar answers, whose app speaks gRPC:', () => {
  type Answer = Message & { readonly message?: { readonly content_type: string; readonly data: object } };

  /** By either method, under a name of its own. */
  async function answering(name: string, response: Answer, body: string): Promise<() => void> {
    const stopStream = await daprSidecar(mesh, `${name}-stream`, {
      stream: (call) => {
        call.on('data', () => undefined);
        call.on('end', () => {
          call.write({ response, ...(body !== '' && { payload: { data: Buffer.from(body), seq: 0 } }) });
          call.end();
        });
      },
    });
    const { message } = response;
    const whole = { ...response, message: { ...message, data: { ...message?.data, value: Buffer.from(body) } } };
    const stopUnary = await daprSidecar(mesh, `${name}-unary`, { unary: (_, done) => done(null, whole) });
    return () => {
      stopStream();
      stopUnary();
    };
  }

  test.each(['stream', 'unary'])('a success is 200, and its type is kept (%s)', async (method) => {
    const response = {
      status: { code: 0 },
      headers: { 'x-own': { values: ['1'] }, 'content-type': { values: ['application/grpc'] } },
      trailers: { 'x-last': { values: ['2'] } },
      message: { content_type: 'text/plain', data: { type_url: 'mytype' } },
    };
    const stop = await answering(`fine-${method}`, response, 'body');
    const id = `fine-${method}-${method}`;
    const answer = await send(web.sidecar.ports.http, { path: to(id, '/x') });
    expect([answer.status, answer.body.toString(), headerOf(answer, 'x-own')]).toEqual([200, 'body', '1']);
    expect(headerOf(answer, 'content-type')).toBe('application/x-protobuf');
    const outcome = await client.invoke({ id, method: 'x' });
    expect(outcome.response).toEqual({ body: Buffer.from('body'), typeUrl: 'mytype', contentType: 'text/plain' });
    expect(outcome.status.metadata.get('x-last')).toEqual(['2']);
    stop();
  });

  test.each(['stream', 'unary'])('a failure is its own, whatever comes with it (%s)', async (method) => {
    const status = { code: 5, message: 'no such order: ü', details: [DETAIL_READ] };
    const stop = await answering(`sad-${method}`, { status }, 'of no use');
    const id = `sad-${method}-${method}`;
    const answer = await send(web.sidecar.ports.http, { path: to(id, '/x') });
    expect([answer.status, headerOf(answer, 'invoke-fault'), answer.isWhole]).toEqual([404, undefined, true]);
    expect(JSON.parse(answer.body.toString())).toEqual({
      code: 5,
      message: 'no such order: ü',
      details: [{ '@type': 'type.x/my.Type', value: 'AQID' }],
    });
    const outcome = await client.invoke({ id, method: 'x' });
    expect(outcome.status).toMatchObject({ code: 5, details: 'no such order: ü' });
    stop();
  });

  test('a status that there is not is an unknown one', async () => {
    const stop = await answering('odd', { status: { code: 42, message: 'odd' } }, '');
    const answer = await send(web.sidecar.ports.http, { path: to('odd-stream', '/x') });
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([500, { code: 2, message: 'odd' }]);
    stop();
  });
});

describe('a caller by gRPC', () => {
  test('is given the body, its kind and type, and the metadata', async () => {
    answerTyped();
    const outcome = await client.invoke({ id: 'shop', method: 'typed', body: 'settembre', typeUrl: 'pfm', verb: 3 });
    expect(outcome.response).toEqual({
      body: Buffer.from('settembre/pfm'),
      typeUrl: 'mytype',
      contentType: 'application/json',
    });
    expect(app.seen[0]?.request.data?.type_url).toBe('pfm');
  });

  test('calls methods by names that no URL has', async () => {
    for (const method of ['test"stream', 'test%stream', 'test%25stream', 'test%2Fstream', 'test\\stream', 'über']) {
      app.seen.length = 0;
      expect((await client.invoke({ id: 'shop', method })).status.code).toBe(0);
      expect(app.seen[0]?.request.method).toBe(method);
    }
  });

  test('is told a failure with its details, its metadata and its trailers', async () => {
    app.behaviour = (got, done) => {
      const head = new Metadata();
      head.set('x-own', 'one');
      got.sendMetadata(head);
      noSuchOrder.metadata.set('x-last', '2');
      done(noSuchOrder);
    };
    const { status, head } = await client.invoke({ id: 'shop', method: 'x' });
    expect(status).toMatchObject({ code: 5, details: 'no such order: ü' });
    expect(status.metadata.get('x-last')).toEqual(['2']);
    expect(head?.get('x-own')).toEqual(['one']);
    const [bytes] = status.metadata.get('grpc-status-details-bin');
    expect(Buffer.from(bytes ?? '').includes(DETAIL)).toBe(true);
  });
});
