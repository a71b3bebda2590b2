// For tests: an app that serves gRPC, by grpc-js, whose behaviour the test changes as it goes; and a client that calls it
// through a sidecar. Messages are bytes, as for the sidecars.
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type Mesh, type MeshApp, type MeshSidecar, startMesh } from './mesh.ts';

export const SERVICE = '/shop.v1.Orders';

const asIs = (bytes: Buffer) => bytes;
const AS_IS = {
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};

function method(name: string, requestStream: boolean, responseStream: boolean) {
  return { path: `${SERVICE}/${name}`, requestStream, responseStream, ...AS_IS };
}

export type Unary = grpc.ServerUnaryCall<Buffer, Buffer>;
export type Upload = grpc.ServerReadableStream<Buffer, Buffer>;
export type Download = grpc.ServerWritableStream<Buffer, Buffer>;
export type Duplex = grpc.ServerDuplexStream<Buffer, Buffer>;

/** What the app does with calls of the four kinds. */
export interface Behaviour {
  unary: (call: Unary, done: grpc.sendUnaryData<Buffer>) => void;
  upload: (call: Upload, done: grpc.sendUnaryData<Buffer>) => void;
  download: (call: Download) => void;
  duplex: (call: Duplex) => void;
}

/** Answers with what it gets: whole, all at once, once for each byte, or message by message. */
export const ECHO: Behaviour = {
  unary: (call, done) => done(null, call.request),
  upload(call, done) {
    const got: Buffer[] = [];
    call.on('data', (message: Buffer) => got.push(message));
    call.on('end', () => done(null, Buffer.concat(got)));
  },
  download(call) {
    for (const byte of call.request) call.write(Buffer.from([byte]));
    call.end();
  },
  duplex(call) {
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
  },
};

export interface GrpcApp {
  readonly port: number;
  behaviour: Behaviour;
  /** The metadata of each call that came. */
  readonly seen: grpc.Metadata[];
  /** Asks its clients to come to an end, by GOAWAY; calls under way go on. */
  drain(): void;
  close(): void;
}

export async function grpcApp(
  options: grpc.ServerOptions = {},
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<GrpcApp> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, ...options });
  const seen: grpc.Metadata[] = [];
  const note = <C extends { readonly metadata: grpc.Metadata }>(call: C): C => {
    seen.push(call.metadata);
    return call;
  };
  const definition = {
    unary: method('Unary', false, false),
    upload: method('Upload', true, false),
    download: method('Download', false, true),
    duplex: method('Duplex', true, true),
  };
  server.addService(definition, {
    unary: (call: Unary, done: grpc.sendUnaryData<Buffer>) => app.behaviour.unary(note(call), done),
    upload: (call: Upload, done: grpc.sendUnaryData<Buffer>) => app.behaviour.upload(note(call), done),
    download: (call: Download) => app.behaviour.download(note(call)),
    duplex: (call: Duplex) => app.behaviour.duplex(note(call)),
  });
  const port = await new Promise<number>((bound, failed) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, number) => (error === null ? bound(number) : failed(error)));
  });
  const app: GrpcApp = {
    port,
    behaviour: { ...ECHO },
    seen,
    drain: () => server.drain(`127.0.0.1:${port}`, 10_000),
    close: () => server.forceShutdown(),
  };
  return app;
}

/** Its next unary calls and uploads end with these codes, and those after them well. */
export function failing(app: GrpcApp, codes: readonly number[]): void {
  const left = [...codes];
  const answer = (message: Buffer, done: grpc.sendUnaryData<Buffer>) => {
    const code = left.shift();
    if (code === undefined) done(null, message);
    else done({ code, details: `code ${code}` });
  };
  app.behaviour.unary = (call, done) => answer(call.request, done);
  app.behaviour.upload = (call, done) => void call.resume().on('end', () => answer(Buffer.from('all'), done));
}

/** What a call came to. */
export interface Outcome {
  readonly status: grpc.StatusObject;
  readonly head: grpc.Metadata | undefined;
  readonly messages: readonly Buffer[];
}

export class GrpcCaller {
  readonly client: grpc.Client;
  readonly #target: string | undefined;

  /** Calls `target` on the gRPC port of a sidecar. */
  constructor(port: number, target: string | undefined) {
    const limits = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
    this.client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      ...limits,
      // A client of its own connection; by default all clients of a process share one.
      'grpc.use_local_subchannel_pool': 1,
    });
    this.#target = target;
  }

  metadata(fields: Readonly<Record<string, string | Buffer>> = {}): grpc.Metadata {
    const metadata = new grpc.Metadata();
    if (this.#target !== undefined) metadata.set('dapr-app-id', this.#target);
    for (const [name, value] of Object.entries(fields)) metadata.add(name, value);
    return metadata;
  }

  /** A stream of which the test does everything itself. */
  open(
    name: string,
    metadata = this.metadata(),
    options: grpc.CallOptions = {},
  ): grpc.ClientDuplexStream<Buffer, Buffer> {
    const path = name.startsWith('/') ? name : `${SERVICE}/${name}`;
    return this.client.makeBidiStreamRequest(path, asIs, asIs, metadata, options);
  }

  /** Sends the messages, half-closes, and waits for the end. On the wire all four kinds of calls are alike. */
  call(
    name: string,
    messages: readonly (Buffer | string)[],
    metadata = this.metadata(),
    options: grpc.CallOptions = {},
  ): Promise<Outcome> {
    const stream = this.open(name, metadata, options);
    const outcome = outcomeOf(stream);
    for (const message of messages) stream.write(Buffer.from(message));
    stream.end();
    return outcome;
  }

  close(): void {
    this.client.close();
  }
}

/** Never rejects: a failure is a status. */
export function outcomeOf(stream: grpc.ClientDuplexStream<Buffer, Buffer>): Promise<Outcome> {
  const messages: Buffer[] = [];
  let head: grpc.Metadata | undefined;
  stream.on('metadata', (metadata) => {
    head = metadata;
  });
  stream.on('data', (message: Buffer) => messages.push(message));
  stream.on('error', () => undefined);
  return new Promise((done) => stream.on('status', (status) => done({ status, head, messages })));
}

/** Says `word 0` and so on over one stream: each word only once the one before was heard. */
export async function conversation(caller: GrpcCaller, words: number): Promise<Conversation> {
  const stream = caller.open('Duplex');
  const heard: string[] = [];
  stream.on('data', (message: Buffer) => {
    heard.push(message.toString());
    if (heard.length < words) stream.write(Buffer.from(`word ${heard.length}`));
    else stream.end();
  });
  const outcome = outcomeOf(stream);
  stream.write(Buffer.from('word 0'));
  return { outcome: await outcome, heard };
}

interface Conversation {
  readonly outcome: Outcome;
  readonly heard: readonly string[];
}

export function callerOf({ sidecar }: Pick<MeshSidecar, 'sidecar'>, target: string | undefined): GrpcCaller {
  return new GrpcCaller(sidecar.ports.grpc ?? 0, target);
}

/** The word of a sidecar, if it is one that ended the call. */
export function faultOf({ status, head }: Outcome): unknown {
  return status.metadata.get('invoke-fault')[0] ?? head?.get('invoke-fault')[0];
}

/** The configuration of a sidecar whose app serves gRPC there. */
export function grpcOn({ port }: { readonly port: number }) {
  return { app: { port, host: '127.0.0.1', token: 'app-token', protocol: 'grpc' } } as const;
}

/** `web`, which only calls, and `shop`, which serves gRPC. */
export interface GrpcPair {
  readonly mesh: Mesh;
  readonly web: MeshSidecar;
  readonly shop: MeshSidecar;
  readonly app: GrpcApp;
  /** Of `shop`, through the sidecar of `web`. */
  readonly caller: GrpcCaller;
}

/**
 * A pair for the tests of a file, whose app forgets after each of them what it was told; `options` are of `web`. `take` may add to
 * its mesh.
 */
export function grpcPairForAll(take: (pair: GrpcPair) => void | Promise<void>, options: MeshApp = {}): void {
  let pair: GrpcPair | undefined;
  beforeAll(async () => {
    const mesh = await startMesh();
    const app = await grpcApp();
    const web = await mesh.start('web', options);
    const shop = await mesh.start('shop', { config: grpcOn(app) });
    pair = { mesh, web, shop, app, caller: callerOf(web, 'shop') };
    await take(pair);
  });
  afterEach(() => {
    if (pair === undefined) return;
    pair.app.behaviour = { ...ECHO };
    pair.app.seen.length = 0;
  });
  afterAll(async () => {
    pair?.caller.close();
    await pair?.mesh.close();
    pair?.app.close();
  });
}
