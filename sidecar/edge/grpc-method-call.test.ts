// Methods of the sidecar's own, as any client may treat them: broken messages, more of them than are read, bugs, and calls that
// hold what others need.
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import type { OutboundCall } from '../../api/call.ts';
import { closedRequest, type Open, type ReplyEnd } from '../../api/exchange.ts';
import { headerValue } from '../../api/headers.ts';
import { decodeRpcStatus } from '../../api/proto/rpc-status.ts';
import { oracleEncode } from '../../api/proto/testing-schema.ts';
import { HeldBytes } from '../../kit/held-bytes.ts';
import { silentLog } from '../../kit/log.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import type { Requester } from '../../wire/message.ts';
import { type H2cClient, h2cClient, request } from '../../wire/testing/h2c-client.ts';
import { Recorder } from '../../wire/testing/recorder.ts';
import { NOTHING_OUTSIDE } from '../external/outside.ts';
import { invokeMessage } from '../testing/dapr-client.ts';
import { identityOf } from '../testing/mesh.ts';
import { AppGrpc } from './app-grpc.ts';
import { answerSole, type GrpcMethod, GrpcMethods, unaryMethod } from './grpc-methods.ts';
import { invokeService } from './invoke-service.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const BODY_BYTES_MAX = 8 * 1024 * 1024;

interface Served {
  readonly client: H2cClient;
  readonly held: HeldBytes;
  readonly errors: string[];
}

async function serve(
  methods: readonly GrpcMethod[],
  open: Open<OutboundCall> = () => closedRequest,
  heldMax = 1e9,
): Promise<Served> {
  const [clock, held, random] = [manualClock(), new HeldBytes(heldMax), () => 0.5];
  const errors: string[] = [];
  const outside = NOTHING_OUTSIDE.rules;
  const calls = {
    open,
    clock,
    random,
    held,
    self: identityOf('web'),
    bodyBytesMax: BODY_BYTES_MAX,
    hopsMax: 32,
    outside,
  };
  const edge = new AppGrpc({
    ...calls,
    methods: new GrpcMethods([...methods, invokeService({ ...calls, statuses: 'honest' })]),
    log: { ...silentLog, error: (message) => errors.push(message) },
    rules: { apiToken: undefined, allowedOrigins: [], allowedHosts: [] },
  });
  const server = edge.server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await h2cClient(portOf(server), { streamsMax: 10 });
  closing.push(() => {
    edge.destroy();
    server.close();
  });
  return { client, held, errors };
}

const INVOKE = '/dapr.proto.runtime.v1.Dapr/InvokeService';
const ECHO = unaryMethod('/a.B/Echo', (message, answer) => answerSole(answer, message));

function begin({ client }: Served, path: string, recorder = new Recorder()): [Requester, Recorder] {
  const fields = ['content-type', 'application/grpc', 'te', 'trailers'];
  return [client.connection.request(request({ method: 'POST', target: path, fields }), recorder), recorder];
}

/** What a call ended with: its status, and the sidecar's word. */
async function endOf(recorder: Recorder): Promise<[string | undefined, string | undefined]> {
  const outcome = await recorder.outcome();
  const trailers = outcome.kind === 'end' ? outcome.trailers : [];
  const all = [...(recorder.heads[0]?.fields ?? []), ...trailers];
  return [headerValue(all, 'grpc-status'), headerValue(all, 'invoke-fault')];
}

function invokeBytes(body: Buffer): Buffer {
  return frameMessage(oracleEncode('dapr.proto.runtime.v1.InvokeServiceRequest', invokeMessage({ body })));
}

test('a message is one however it is cut', async () => {
  const served = await serve([ECHO]);
  const [requester, recorder] = begin(served, '/a.B/Echo');
  for (const byte of frameMessage(Buffer.from('hello'))) requester.data(Buffer.from([byte]));
  requester.end([]);
  expect(await endOf(recorder)).toEqual(['0', undefined]);
  expect(recorder.body).toBe('\0\0\0\0\x05hello');
});

test.each([
  ['none', '', ['3', 'bad-request']],
  ['two', '\0\0\0\0\x01a\0\0\0\0\x01b', ['3', 'bad-request']],
  ['half of one', '\0\0\0\0\x05he', ['3', 'bad-request']],
  ['a compressed one', '\x01\0\0\0\x01a', ['12', 'unimplemented']],
  ['one that is announced too large', '\0\x7f\0\0\0', ['8', 'body-too-large']],
])('a call with %s of its messages is refused in words, and the next is served', async (_what, bytes, expected) => {
  const served = await serve([ECHO]);
  const [requester, recorder] = begin(served, '/a.B/Echo');
  requester.data(Buffer.from(bytes, 'latin1'));
  requester.end([]);
  expect(await endOf(recorder)).toEqual(expected);
  const [next, answered] = begin(served, '/a.B/Echo');
  next.data(frameMessage(Buffer.from('x')));
  next.end([]);
  expect(await endOf(answered)).toEqual(['0', undefined]);
});

test('a bug of a method is INTERNAL for its call and a line in the log', async () => {
  const served = await serve([
    unaryMethod('/a.B/Bug', () => {
      throw new TypeError('of a test');
    }),
    ECHO,
  ]);
  const [requester, recorder] = begin(served, '/a.B/Bug');
  requester.data(frameMessage(Buffer.from('x')));
  requester.end([]);
  expect(await endOf(recorder)).toEqual(['13', 'internal']);
  expect(served.errors).toEqual(['a bug in the app API']);
});

test('a caller that asks and does not read is not answered on and on', async () => {
  const answer = Buffer.alloc(16 * 1024);
  let asked = 0;
  const flood: GrpcMethod = {
    path: '/a.B/Flood',
    messageBytesMax: 100,
    open: (_metadata, reply) => ({
      message: () => {
        asked++;
        reply.message(answer);
      },
      end: () => reply.finish(),
      gone: () => undefined,
    }),
  };
  const served = await serve([flood]);
  const [requester, recorder] = begin(served, '/a.B/Flood', new Recorder().pauseAll());
  const questions = Buffer.concat(Array<Buffer>(4000).fill(frameMessage(Buffer.from('?'))));
  requester.data(questions);
  requester.end([]);
  await recorder.heard(1);
  await new Promise<void>((answered) => served.client.connection.ping(answered));
  expect(asked).toBeLessThan(400);
  recorder.goOn();
  requester.resume();
  expect(await endOf(recorder)).toEqual(['0', undefined]);
  expect([asked, recorder.bytes]).toEqual([4000, 4000 * (answer.length + 5)]);
});

test('what calls hold together is bounded, and let go at their end, however they end', async () => {
  const replies: ReplyEnd[] = [];
  const pushed: number[] = [];
  const open: Open<OutboundCall> = (_call, reply) => {
    replies.push(reply);
    // Takes the first piece, and then nothing more.
    const data = (chunk: Buffer) => {
      pushed.push(chunk.length);
      return 'pause' as const;
    };
    return { ...closedRequest, data };
  };
  const served = await serve([], open, 1024 * 1024);
  const large = invokeBytes(Buffer.alloc(700 * 1024));
  const [first, firstHeard] = begin(served, INVOKE);
  first.data(large);
  first.end([]);
  await expect.poll(() => replies.length).toBe(1);
  const [second, secondHeard] = begin(served, INVOKE);
  second.data(large);
  second.end([]);
  expect(await endOf(secondHeard)).toEqual(['8', 'body-too-large']);
  expect(pushed).toEqual([64 * 1024]);
  first.abort({ kind: 'reset', reason: 'of a test' });
  expect(firstHeard.outcomes).toEqual([]);
  await expect.poll(() => served.held.take(1024 * 1024)).toBe(true);
});

test('an answer is held until its caller has read it, and no longer', async () => {
  const open: Open<OutboundCall> = (_call, reply) => {
    queueMicrotask(() => {
      reply.head({ status: 200, headers: [], bodyBytes: undefined });
      for (let i = 0; i < 100; i++) reply.data(Buffer.alloc(60 * 1024));
      reply.end([]);
    });
    return closedRequest;
  };
  const all = BODY_BYTES_MAX;
  const served = await serve([], open, all);
  const [requester, recorder] = begin(served, INVOKE, new Recorder().pauseAll());
  requester.data(invokeBytes(Buffer.alloc(0)));
  requester.end([]);
  await recorder.heard(1);
  expect(served.held.take(all)).toBe(false);
  recorder.goOn();
  requester.resume();
  expect(await endOf(recorder)).toEqual(['0', undefined]);
  expect(served.held.take(all)).toBe(true);
});

test.each([
  [{ code: 0, message: '', details: [] }, 200, ['0', undefined]],
  [{ code: 9, message: 'not now, é', details: [Buffer.from('\x0a\x03a.B', 'latin1')] }, 400, ['9', undefined]],
])('what an app said by gRPC is the status, word for word: %j', async (grpc, status, expected) => {
  const open: Open<OutboundCall> = (_call, reply) => {
    queueMicrotask(() => {
      reply.head({ status, headers: ['x-one', '1'], bodyBytes: undefined, dataTypeUrl: 'a.B', grpc });
      reply.data(Buffer.from('body'));
      reply.end(['x-two', '2', 'grpc-x', '3']);
    });
    return closedRequest;
  };
  const served = await serve([], open);
  const [requester, recorder] = begin(served, INVOKE);
  requester.data(invokeBytes(Buffer.alloc(0)));
  requester.end([]);
  expect(await endOf(recorder)).toEqual(expected);
  const outcome = await recorder.outcome();
  const trailers = outcome.kind === 'end' ? outcome.trailers : [];
  expect([headerValue(recorder.heads[0]?.fields ?? [], 'x-one'), headerValue(trailers, 'x-two')]).toEqual(['1', '2']);
  expect(headerValue(trailers, 'grpc-x')).toBeUndefined();
  const details = headerValue(trailers, 'grpc-status-details-bin');
  if (grpc.code === 0) expect(recorder.body.slice(5)).toBe('\x0a\x0b\x0a\x03a.B\x12\x04body');
  else expect(decodeRpcStatus(Buffer.from(details ?? '', 'base64'))).toEqual({ ok: true, value: grpc });
});
