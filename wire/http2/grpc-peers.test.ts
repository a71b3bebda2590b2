// grpc-js at the other end: unary and bidirectional calls, deadlines, cancellation.
import * as grpc from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { frameMessage } from '../grpc-frame.ts';
import type { Fields, RequestHead, Serve } from '../message.ts';
import { h2cClient, request } from '../testing/h2c-client.ts';
import { type H2cServer, h2cServer } from '../testing/h2c-server.ts';
import { Recorder } from '../testing/recorder.ts';

const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const bytes = { serialize: (message: Buffer) => message, deserialize: (message: Buffer) => message };
const METHODS = {
  Unary: { path: '/test.Echo/Unary', requestStream: false, responseStream: false },
  Bidi: { path: '/test.Echo/Bidi', requestStream: true, responseStream: true },
};
const definition: grpc.ServiceDefinition = Object.fromEntries(
  Object.entries(METHODS).map(([name, method]) => [
    name,
    {
      ...method,
      requestSerialize: bytes.serialize,
      requestDeserialize: bytes.deserialize,
      responseSerialize: bytes.serialize,
      responseDeserialize: bytes.deserialize,
    },
  ]),
);

/** Sends the message bytes back as they come, and an OK. */
const echo: Serve = (head, responder) => {
  responder.head({ status: 200, fields: ['content-type', 'application/grpc'], bodyBytes: undefined });
  if (head.target.endsWith('Never')) return new Recorder();
  return {
    data: (chunk) => responder.data(chunk),
    end: () => responder.end(['grpc-status', '0', 'grpc-message', 'fine']),
    abort: () => undefined,
    resume: () => responder.resume(),
    cancel: () => undefined,
  };
};

async function clientOf(serve: Serve): Promise<{ client: grpc.Client; server: H2cServer }> {
  const server = await h2cServer(serve);
  const client = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
  closing.push(
    () => server.close(),
    () => client.close(),
  );
  return { client, server };
}

function unary(client: grpc.Client, path: string, message: Buffer, options: grpc.CallOptions = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, bytes.serialize, bytes.deserialize, message, options, (error, reply) =>
      error === null ? resolve(reply ?? Buffer.alloc(0)) : reject(error),
    );
  });
}

const streams = (server: H2cServer) => [...server.connections].reduce((sum, { streamCount }) => sum + streamCount, 0);

test('a client of grpc-js makes unary calls, small and large', async () => {
  const { client } = await clientOf(echo);
  expect((await unary(client, METHODS.Unary.path, Buffer.from('hello'))).toString()).toBe('hello');
  const large = Buffer.alloc(3_000_000, 'abc');
  expect((await unary(client, METHODS.Unary.path, large)).equals(large)).toBe(true);
  const many = await Promise.all(
    Array.from({ length: 50 }, (_, index) => unary(client, METHODS.Unary.path, Buffer.from(`${index}`))),
  );
  expect(many.map(String)).toEqual(many.map((_, index) => `${index}`));
});

test('a client of grpc-js holds a conversation', async () => {
  const { client } = await clientOf(echo);
  const call = client.makeBidiStreamRequest(METHODS.Bidi.path, bytes.serialize, bytes.deserialize);
  const heard: string[] = [];
  const over = new Promise<grpc.StatusObject>((resolve) => call.on('status', resolve));
  call.on('data', (message: Buffer) => {
    heard.push(message.toString());
    if (heard.length < 20) call.write(Buffer.from(`message ${heard.length}`));
    else call.end();
  });
  call.write(Buffer.from('message 0'));
  expect(await over).toMatchObject({ code: grpc.status.OK, details: 'fine' });
  expect(heard).toEqual(Array.from({ length: 20 }, (_, index) => `message ${index}`));
});

test('a deadline and a cancellation of grpc-js end the stream, and the app hears of it once', async () => {
  const receivers: Recorder[] = [];
  const heads: RequestHead[] = [];
  const { client, server } = await clientOf((head, responder) => {
    heads.push(head);
    responder.head({ status: 200, fields: ['content-type', 'application/grpc'], bodyBytes: undefined });
    const receiver = new Recorder();
    receivers.push(receiver);
    return receiver;
  });
  const late = unary(client, '/test.Echo/Never', Buffer.from('a'), { deadline: new Date(Date.now() + 200) });
  await expect(late).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
  const call = client.makeBidiStreamRequest('/test.Echo/Never', bytes.serialize, bytes.deserialize);
  const failed = new Promise<Error>((resolve) => call.on('error', resolve));
  call.on('data', () => undefined);
  call.on('metadata', () => call.cancel());
  expect(await failed).toMatchObject({ code: grpc.status.CANCELLED });
  await expect.poll(() => streams(server)).toBe(0);
  expect(heads[0]?.fields).toContain('grpc-timeout');
  expect(receivers.map(({ outcomes }) => outcomes.map(({ kind }) => kind))).toEqual([
    ['end', 'cancel'],
    ['end', 'cancel'],
  ]);
});

async function serverOfGrpc(): Promise<number> {
  const server = new grpc.Server();
  server.addService(definition, {
    Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      if (call.request.toString() === 'fail') done({ code: grpc.status.NOT_FOUND, details: 'no such thing' });
      else done(null, call.request);
    },
    Bidi: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (message: Buffer) => call.write(message));
      call.on('end', () => call.end());
      call.on('cancelled', () => cancelled.push('bidi'));
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  closing.push(() => server.forceShutdown());
  return port;
}

const cancelled: string[] = [];
const grpcFields: Fields = ['content-type', 'application/grpc', 'te', 'trailers'];

async function callerOf(port: number) {
  const { connection, closed } = await h2cClient(port);
  closing.push(async () => {
    connection.destroy({ kind: 'closed', reason: 'the test is over' });
    await closed;
    expect(connection.streamCount).toBe(0);
  });
  return (target: string, recorder: Recorder) =>
    connection.request(request({ method: 'POST', target, fields: grpcFields }), recorder);
}

test('a server of grpc-js answers unary calls, and says what is wrong in its trailers', async () => {
  const call = await callerOf(await serverOfGrpc());
  const message = frameMessage(Buffer.alloc(1_000_000, 'abc'));
  const good = new Recorder();
  const requester = call(METHODS.Unary.path, good);
  requester.data(message);
  requester.end([]);
  const outcome = await good.outcome();
  expect(outcome.kind === 'end' && outcome.trailers.slice(0, 2)).toEqual(['grpc-status', '0']);
  expect(Buffer.concat(good.chunks).equals(message)).toBe(true);
  const bad = new Recorder();
  const failing = call(METHODS.Unary.path, bad);
  failing.data(frameMessage(Buffer.from('fail')));
  failing.end([]);
  expect(await bad.outcome()).toEqual({ kind: 'end', trailers: [] });
  // Without messages the trailers are the head.
  expect(bad.heads[0]?.fields).toEqual(
    expect.arrayContaining(['grpc-status', '5', 'grpc-message', 'no%20such%20thing']),
  );
});

test('a server of grpc-js holds a conversation, and hears of a cancellation', async () => {
  const call = await callerOf(await serverOfGrpc());
  const recorder = new Recorder();
  const requester = call(METHODS.Bidi.path, recorder);
  for (let i = 1; i <= 10; i++) {
    const message = frameMessage(Buffer.from(`message ${i % 10}`));
    requester.data(message);
    await recorder.heard(i * message.length);
  }
  requester.end([]);
  expect(await recorder.outcome()).toMatchObject({ kind: 'end' });
  const given = new Recorder();
  const up = call(METHODS.Bidi.path, given);
  up.data(frameMessage(Buffer.from('a')));
  await given.heard(6);
  cancelled.length = 0;
  up.cancel({ kind: 'reset', reason: 'enough' });
  await expect.poll(() => cancelled).toEqual(['bidi']);
});
