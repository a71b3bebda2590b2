// AppCallback/OnInvoke byte by byte: what an app is sent, when, and what becomes of answers that are none.
import { once } from 'node:events';
import { request } from 'node:http';
import http2 from 'node:http2';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { FaultCode } from '../../api/fault.ts';
import { oracleDecode, oracleEncode } from '../../api/proto/testing-schema.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { callbackOn } from '../testing/callback-app.ts';
import { identityOf, type Mesh, startMesh } from '../testing/mesh.ts';
import { type RawPeer, rawPeer } from '../testing/raw-peer.ts';
import { expectFault, headerOf, send, to } from './testing.ts';

type Stream = http2.ServerHttp2Stream;
type Answer = (stream: Stream, headers: http2.IncomingHttpHeaders) => void;
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const RESPONSE = oracleEncode('dapr.proto.common.v1.InvokeResponse', { data: { value: Buffer.from('fine') } });

/** Once the request is whole: these bytes, and these trailers. */
const answering =
  (bytes: Buffer, trailers: http2.OutgoingHttpHeaders = { 'grpc-status': '0' }): Answer =>
  (stream) => {
    stream.resume().on('end', () => {
      if (stream.destroyed) return;
      stream.respond(GRPC, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end(bytes);
    });
  };
const fine = answering(frameMessage(RESPONSE));

let mesh: Mesh;
let port: number;
let app: http2.Http2Server;
let peer: RawPeer;
let answer: Answer = fine;

beforeAll(async () => {
  mesh = await startMesh();
  app = http2.createServer().listen(0, '127.0.0.1');
  await once(app, 'listening');
  app.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    answer(stream, headers);
  });
  port = (await mesh.start('web')).sidecar.ports.http;
  const shop = await mesh.start('shop', { config: callbackOn(portOf(app)) });
  peer = await rawPeer(shop.sidecar.ports.peer, mesh.ca.issue(identityOf('raw')));
});
afterEach(() => {
  answer = fine;
});
afterAll(async () => {
  peer.close();
  await mesh.close();
  app.close();
});

const call = (more: Partial<Parameters<typeof send>[1]> = {}) => send(port, { path: to('shop', '/x'), ...more });

test('a request is one message, which ends with its body', async () => {
  const got: Buffer[] = [];
  let headers: http2.IncomingHttpHeaders = {};
  answer = (stream, head) => {
    headers = head;
    stream.on('data', (chunk: Buffer) => got.push(chunk));
    fine(stream, head);
  };
  await call({ method: 'PUT', headers: ['content-type', 'a/b'], body: 'the body' });
  expect(headers).toMatchObject({
    ':method': 'POST',
    ':path': '/dapr.proto.runtime.v1.AppCallback/OnInvoke',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const bytes = Buffer.concat(got);
  expect([bytes[0], bytes.readUInt32BE(1)]).toEqual([0, bytes.length - 5]);
  expect(bytes.toString().endsWith('the body')).toBe(true);
  expect(oracleDecode('dapr.proto.common.v1.InvokeRequest', bytes.subarray(5))).toMatchObject({
    method: 'x',
    content_type: 'a/b',
    data: { value: Buffer.from('the body') },
  });
});

test('a body whose length is known reaches the app as it comes', async () => {
  const begun = new Promise<string>((told) => {
    answer = (stream, headers) => {
      stream.once('data', (chunk: Buffer) => told(chunk.toString()));
      fine(stream, headers);
    };
  });
  const sent = request({
    port,
    method: 'POST',
    path: to('shop', '/x'),
    headers: { 'content-length': 10 },
    agent: false,
  });
  sent.write('first');
  expect(await begun).toContain('x');
  sent.end('-last');
  const [response] = await once(sent, 'response');
  expect(response.statusCode).toBe(200);
  response.resume();
});

test('a body that is not as long as it was said to be is refused', async () => {
  const head = (length: number) =>
    oracleEncode('dapr.proto.internals.v1.InternalInvokeRequestStream', {
      request: {
        ver: 1,
        metadata: { 'content-length': { values: [String(length)] } },
        message: { method: 'x', http_extension: { verb: 3 } },
      },
      payload: { data: Buffer.from('12345'), seq: 0 },
    });
  for (const length of [4, 6]) {
    const { trailers } = await peer.call([head(length)]);
    expect(trailers).toMatchObject({ 'grpc-status': '3', 'invoke-fault': 'bad-request' });
  }
});

describe('an answer', () => {
  const compressed = gzipSync(RESPONSE);
  const frame = Buffer.alloc(5 + compressed.length);
  frame[0] = 1;
  frame.writeUInt32BE(compressed.length, 1);
  compressed.copy(frame, 5);

  test.each<[string, Answer, FaultCode, string]>([
    ['that is compressed', answering(frame), 'app-broke', 'compressed'],
    [
      'of two messages',
      answering(Buffer.concat([frameMessage(RESPONSE), frameMessage(RESPONSE)])),
      'app-broke',
      'one message',
    ],
    ['of no message', answering(Buffer.alloc(0)), 'app-broke', 'whole message'],
    ['of half a message', answering(frameMessage(RESPONSE).subarray(0, -1)), 'app-broke', 'whole message'],
    ['of a message that is none', answering(frameMessage(Buffer.from([0x0a, 0x7f]))), 'app-broke', 'no InvokeResponse'],
    ['without a status', answering(frameMessage(RESPONSE), { 'x-a': '1' }), 'app-broke', 'did not complete'],
    [
      'that breaks off',
      (stream) => stream.respond(GRPC) ?? stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
      'app-broke',
      '',
    ],
    [
      'of HTTP',
      (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
      'app-broke',
      'does not answer as gRPC',
    ],
    ['that nobody has looked', (stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM), 'app-closing', ''],
  ])('%s is a fault', async (_, odd, code, words) => {
    answer = odd;
    for (const body of ['known', [Buffer.from('chunked')]])
      expect(expectFault(await call({ method: 'POST', body }), code)).toContain(words);
    answer = fine;
    expect((await call()).body.toString()).toBe('fine');
  });

  test('that is a status alone is that status, before the end of the request, too', async () => {
    answer = (stream) =>
      stream.respond({ ...GRPC, 'grpc-status': '8', 'grpc-message': 'no%20more' }, { endStream: true });
    for (const body of [undefined, Buffer.alloc(2 ** 20)]) {
      const { status, body: said } = await call({ method: 'POST', ...(body && { body }) });
      expect([status, JSON.parse(said.toString())]).toEqual([429, { code: 8, message: 'no more' }]);
    }
  });

  test('of a status that there is not is an unknown one', async () => {
    answer = answering(Buffer.alloc(0), { 'grpc-status': '99' });
    expect(JSON.parse((await call()).body.toString())).toEqual({ code: 2 });
  });

  test('that fails has no details that say another status', async () => {
    const details = Buffer.from(
      oracleEncode('dapr.proto.internals.v1.Status', { code: 7, details: [{ value: Buffer.from('x') }] }),
    );
    answer = answering(Buffer.alloc(0), { 'grpc-status': '5', 'grpc-status-details-bin': details.toString('base64') });
    const { status, body, headers } = await call();
    expect([status, JSON.parse(body.toString()), headerOf({ headers }, 'invoke-fault')]).toEqual([
      404,
      { code: 5 },
      undefined,
    ]);
  });
});
