// Peers that are not ours: gRPC's own implementation with another protobuf, saying what a Dapr sidecar says.
import {
  ChannelCredentials,
  Client,
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { oracleDecode, oracleEncode } from '../../api/proto/testing-schema.ts';
import { CALL_LOCAL, CALL_LOCAL_STREAM } from '../link/messages.ts';
import { echo, identityOf, type Mesh, type MeshSidecar, startMesh } from '../testing/mesh.ts';

const PACKAGE = 'dapr.proto.internals.v1';
const codec = (type: string) => ({
  serialize: (message: Record<string, unknown>) => oracleEncode(`${PACKAGE}.${type}`, message),
  deserialize: (bytes: Buffer) => oracleDecode(`${PACKAGE}.${type}`, bytes),
});
type Codec = ReturnType<typeof codec>;
const unaryRequest = codec('InternalInvokeRequest');
const unaryReply = codec('InternalInvokeResponse');
const streamRequest = codec('InternalInvokeRequestStream');
const streamReply = codec('InternalInvokeResponseStream');

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh.close());

const REQUEST = {
  ver: 1,
  metadata: { 'x-from': { values: ['dapr'] }, 'dapr-caller-app-id': { values: ['somebody-else'] } },
  message: { method: 'items/7', content_type: 'text/plain', http_extension: { verb: 3, querystring: 'a=1' } },
};

function clientOf(callee: MeshSidecar): Client {
  const { svid, anchors } = mesh.ca.issue(identityOf('dapr-web'));
  const tls = ChannelCredentials.createSsl(
    Buffer.from(anchors.join('')),
    Buffer.from(svid.keyPem),
    Buffer.from(svid.chainPem),
    { checkServerIdentity: () => undefined },
  );
  return new Client(`127.0.0.1:${callee.sidecar.ports.peer}`, tls);
}

test('a gRPC client calls an app behind our sidecar, by either method', async () => {
  const orders = await mesh.start('orders', { handler: echo });
  const client = clientOf(orders);

  const unary = await new Promise<Record<string, unknown>>((done, failed) => {
    const message = { ...REQUEST, message: { ...REQUEST.message, data: { value: Buffer.from('whole') } } };
    client.makeUnaryRequest(CALL_LOCAL, unaryRequest.serialize, unaryReply.deserialize, message, (error, reply) =>
      error ? failed(error) : done(reply ?? {}),
    );
  });
  expect(unary).toMatchObject({
    status: { code: 200 },
    message: { content_type: 'text/plain', data: { value: Buffer.from('whole') } },
    headers: { 'x-url': { values: ['/items/7?a=1'] } },
  });

  const stream = client.makeBidiStreamRequest(CALL_LOCAL_STREAM, streamRequest.serialize, streamReply.deserialize);
  stream.write({ request: REQUEST, payload: { data: Buffer.from('one '), seq: 0 } });
  stream.write({ payload: { data: Buffer.from('two'), seq: 1 } });
  stream.end();
  const replies: { response?: unknown; payload?: { data: Buffer; seq: number } }[] = [];
  for await (const reply of stream) replies.push(reply);
  expect(replies[0]?.response).toMatchObject({ status: { code: 200 } });
  expect(Buffer.concat(replies.flatMap((reply) => reply.payload?.data ?? [])).toString()).toBe('one two');
  client.close();
});

test('a gRPC client that calls what is not there gets a status that says so', async () => {
  const silent = await mesh.start('silent', { handler: echo });
  silent.app?.close();
  const client = clientOf(silent);
  const failure = new Promise((done) => {
    const call = client.makeUnaryRequest(CALL_LOCAL, unaryRequest.serialize, unaryReply.deserialize, REQUEST, done);
    call.on('error', () => undefined);
  });
  expect(await failure).toMatchObject({ code: 14, details: expect.stringContaining('does not listen') });
  client.close();
});

type Unary = handleUnaryCall<Record<string, unknown>, Record<string, unknown>>;
type Bidi = handleBidiStreamingCall<Record<string, unknown>, Record<string, unknown>>;

const UNARY = methodOf(CALL_LOCAL, false, unaryRequest, unaryReply);
const STREAM = methodOf(CALL_LOCAL_STREAM, true, streamRequest, streamReply);

function methodOf(path: string, isStream: boolean, request: Codec, reply: Codec) {
  return {
    path,
    requestStream: isStream,
    responseStream: isStream,
    requestSerialize: request.serialize,
    requestDeserialize: request.deserialize,
    responseSerialize: reply.serialize,
    responseDeserialize: reply.deserialize,
  };
}

/** A sidecar of another make, with the methods that it has, and UNIMPLEMENTED for the rest. */
async function otherSidecar(app: string, methods: { readonly unary?: Unary; readonly stream?: Bidi }) {
  const { svid, anchors } = mesh.ca.issue(identityOf(app));
  const server = new Server();
  if (methods.unary) server.addService({ CallLocal: UNARY }, { CallLocal: methods.unary });
  if (methods.stream) server.addService({ CallLocalStream: STREAM }, { CallLocalStream: methods.stream });
  const pair = { private_key: Buffer.from(svid.keyPem), cert_chain: Buffer.from(svid.chainPem) };
  const tls = ServerCredentials.createSsl(Buffer.from(anchors.join('')), [pair], true);
  const port = await new Promise<number>((done, failed) =>
    server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error ? failed(error) : done(bound))),
  );
  mesh.point(app, [{ host: '127.0.0.1', port }]);
  return server;
}

test('a sidecar that knows no streams is called in one message, from the first call on', async () => {
  const asked: Record<string, unknown>[] = [];
  const server = await otherSidecar('legacy', {
    unary: (call, done) => {
      asked.push(call.request);
      done(null, {
        status: { code: 201 },
        headers: { 'x-answer': { values: ['42'] } },
        message: { content_type: 'text/plain', data: { value: Buffer.from('old but here') } },
      });
    },
  });
  const web = await mesh.start('web');
  for (const body of ['first', 'second']) {
    const answer = await fetch(`${web.url}/v1.0/invoke/legacy/method/a%20b?q=1`, { method: 'PUT', body });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-answer')).toBe('42');
    expect(await answer.text()).toBe('old but here');
  }
  expect(asked).toHaveLength(2);
  expect(asked[1]).toMatchObject({
    ver: 'V1',
    metadata: { 'dapr-caller-app-id': { values: ['web'] }, 'dapr-callee-app-id': { values: ['legacy'] } },
    message: {
      method: 'a%20b',
      data: { value: Buffer.from('second') },
      http_extension: { verb: 'PUT', querystring: 'q=1' },
    },
  });
  server.forceShutdown();
});

test('the status of a sidecar that names no fault is the fault that it means', async () => {
  const server = await otherSidecar('strict', { unary: (_, done) => done({ code: 7, details: 'access denied' }) });
  const web = await mesh.start('web');
  const answer = await fetch(`${web.url}/v1.0/invoke/strict/method/x`);
  expect(answer.status).toBe(403);
  expect(answer.headers.get('invoke-fault')).toBe('denied');
  expect(await answer.text()).toContain('access denied');
  server.forceShutdown();
});

test('a sidecar that says OK and nothing else has not answered', async () => {
  const server = await otherSidecar('mute', { stream: (call) => call.end() });
  const web = await mesh.start('web');
  const answer = await fetch(`${web.url}/v1.0/invoke/mute/method/x`);
  expect(answer.status).toBe(502);
  expect(answer.headers.get('invoke-fault')).toBe('peer-broke');
  server.forceShutdown();
});
