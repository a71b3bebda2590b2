// For tests: an app that speaks gRPC and is called over HTTP: it serves AppCallback/OnInvoke, by grpc-js and with another protobuf.
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { oracleDecode, oracleEncode } from '../../api/proto/testing-schema.ts';
import { type Mesh, type MeshSidecar, startMesh } from './mesh.ts';

/** An InvokeRequest as protobufjs has it. */
export interface InvokeMessage {
  readonly method: string;
  readonly data: { readonly type_url: string; readonly value: Buffer } | null;
  readonly content_type: string;
  readonly http_extension: { readonly verb: string; readonly querystring: string } | null;
}

export interface InvokeReply {
  readonly data?: { readonly type_url?: string; readonly value?: Buffer };
  readonly content_type?: string;
}

export type InvokeCall = grpc.ServerUnaryCall<InvokeMessage, InvokeReply>;
export type Invoking = (call: InvokeCall, done: grpc.sendUnaryData<InvokeReply>) => void;

export interface CallbackApp {
  readonly port: number;
  behaviour: Invoking;
  readonly seen: InvokeCall[];
  /** The next call that comes from now on. */
  next(): Promise<InvokeCall>;
  reset(): void;
  close(): void;
}

/** Answers with the body that it got, and of that kind. */
export const ECHO_INVOKED: Invoking = ({ request }, done) =>
  done(null, { data: { value: request.data?.value ?? Buffer.alloc(0) }, content_type: request.content_type });

const COMMON = 'dapr.proto.common.v1';
const ON_INVOKE = {
  path: '/dapr.proto.runtime.v1.AppCallback/OnInvoke',
  requestStream: false,
  responseStream: false,
  requestSerialize: (message: InvokeMessage) => oracleEncode(`${COMMON}.InvokeRequest`, { ...message }),
  requestDeserialize: readRequest,
  responseSerialize: (message: InvokeReply) => oracleEncode(`${COMMON}.InvokeResponse`, { ...message }),
  responseDeserialize: (bytes: Buffer) => oracleDecode(`${COMMON}.InvokeResponse`, bytes),
};

function readRequest(bytes: Buffer): InvokeMessage {
  const { method, data, content_type, http_extension } = oracleDecode(`${COMMON}.InvokeRequest`, bytes);
  return { method, data, content_type, http_extension } as InvokeMessage;
}

/** On this port, if one is given. */
export async function callbackApp(port = 0): Promise<CallbackApp> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
  const waiting: ((call: InvokeCall) => void)[] = [];
  server.addService(
    { OnInvoke: ON_INVOKE },
    {
      OnInvoke: (call: InvokeCall, done: grpc.sendUnaryData<InvokeReply>) => {
        app.seen.push(call);
        for (const tell of waiting.splice(0)) tell(call);
        app.behaviour(call, done);
      },
    },
  );
  const bound = await new Promise<number>((done, failed) => {
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, number) =>
      error === null ? done(number) : failed(error),
    );
  });
  const app: CallbackApp = {
    port: bound,
    behaviour: ECHO_INVOKED,
    seen: [],
    next: () => new Promise((tell) => waiting.push(tell)),
    reset() {
      app.behaviour = ECHO_INVOKED;
      app.seen.length = 0;
    },
    close: () => server.forceShutdown(),
  };
  return app;
}

/** `web`, which only calls, and `shop`, whose app is such a one. */
export interface CallbackPair {
  readonly mesh: Mesh;
  readonly web: MeshSidecar;
  readonly shop: MeshSidecar;
  readonly app: CallbackApp;
}

/** A pair for the tests of a file, whose app forgets after each of them what it was told. */
export function callbackPairForAll(take: (pair: CallbackPair) => void): void {
  let pair: CallbackPair | undefined;
  beforeAll(async () => {
    const mesh = await startMesh();
    const app = await callbackApp();
    const web = await mesh.start('web');
    const shop = await mesh.start('shop', { config: callbackOn(app.port) });
    pair = { mesh, web, shop, app };
    take(pair);
  });
  afterEach(() => pair?.app.reset());
  afterAll(async () => {
    await pair?.mesh.close();
    pair?.app.close();
  });
}

/** The configuration of a sidecar whose app is on that port. */
export function callbackOn(port: number) {
  return { app: { port, host: '127.0.0.1', token: 'app-token', protocol: 'grpc' } } as const;
}

/** A failure as an app says it: `details` are messages of google.protobuf.Any in bytes. */
export function failure(code: number, message: string, details: readonly Buffer[] = []): grpc.ServiceError {
  const metadata = new grpc.Metadata();
  if (details.length > 0) {
    const status = oracleEncode('dapr.proto.internals.v1.Status', { code, message });
    const rest = details.map((detail) => Buffer.concat([Buffer.from([0x1a, detail.length]), detail]));
    metadata.set('grpc-status-details-bin', Buffer.concat([status, ...rest]));
  }
  return Object.assign(new Error(message), { code, details: message, metadata });
}

/** google.protobuf.Any, small. */
export function any(typeUrl: string, value: Buffer): Buffer {
  const url = Buffer.from(typeUrl);
  const head = Buffer.concat([Buffer.from([0x0a, url.length]), url, Buffer.from([0x12, value.length])]);
  return Buffer.concat([head, value]);
}
