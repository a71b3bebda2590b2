// For tests: a sidecar that is not ours, on either side of a call: gRPC's own implementation with another protobuf, which says what
// a test wants a Dapr sidecar to say.
import {
  ChannelCredentials,
  Client,
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { oracleDecode, oracleEncode } from '../../api/proto/testing-schema.ts';
import { CALL_LOCAL, CALL_LOCAL_STREAM } from '../link/messages.ts';
import { identityOf, type Mesh, type MeshSidecar } from './mesh.ts';

/** In the .proto files' own names. */
export type Message = Record<string, unknown>;

const PACKAGE = 'dapr.proto.internals.v1';
const codec = (type: string) => ({
  serialize: (message: Message) => oracleEncode(`${PACKAGE}.${type}`, message),
  deserialize: (bytes: Buffer) => oracleDecode(`${PACKAGE}.${type}`, bytes),
});
type Codec = ReturnType<typeof codec>;
const unaryRequest = codec('InternalInvokeRequest');
const unaryReply = codec('InternalInvokeResponse');
const streamRequest = codec('InternalInvokeRequestStream');
const streamReply = codec('InternalInvokeResponseStream');

export interface StreamReply {
  readonly response?: Message;
  readonly payload?: { readonly data: Buffer; readonly seq: number };
}

/** The caller's side. */
export class DaprCaller {
  readonly #client: Client;

  constructor(mesh: Mesh, callee: MeshSidecar) {
    const { svid, anchors } = mesh.ca.issue(identityOf('dapr-web'));
    const tls = ChannelCredentials.createSsl(
      Buffer.from(anchors.join('')),
      Buffer.from(svid.keyPem),
      Buffer.from(svid.chainPem),
      { checkServerIdentity: () => undefined },
    );
    this.#client = new Client(`127.0.0.1:${callee.sidecar.ports.peer}`, tls);
  }

  /** CallLocal. Rejects with the status, if it is none of success. */
  unary(message: Message): Promise<Message> {
    return new Promise((done, failed) => {
      this.#client.makeUnaryRequest(
        CALL_LOCAL,
        unaryRequest.serialize,
        unaryReply.deserialize,
        message,
        (error, reply) => (error ? failed(error) : done(reply ?? {})),
      );
    });
  }

  /** CallLocalStream, half-closed behind these messages; what came back. */
  async stream(messages: readonly Message[]): Promise<readonly StreamReply[]> {
    const { serialize } = streamRequest;
    const stream = this.#client.makeBidiStreamRequest(CALL_LOCAL_STREAM, serialize, streamReply.deserialize);
    for (const message of messages) stream.write(message);
    stream.end();
    const replies: StreamReply[] = [];
    for await (const reply of stream) replies.push(reply);
    return replies;
  }

  close(): void {
    this.#client.close();
  }
}

export interface DaprMethods {
  readonly unary?: handleUnaryCall<Message, Message>;
  readonly stream?: handleBidiStreamingCall<Message, Message>;
}

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

/** The callee's side: a sidecar with the methods that it has, and UNIMPLEMENTED for the rest. Gives what ends it. */
export async function daprSidecar(mesh: Mesh, app: string, methods: DaprMethods): Promise<() => void> {
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
  return () => server.forceShutdown();
}
