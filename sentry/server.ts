// The gRPC face of the authority: one method, on connections that somebody else accepts.
//
// Sockets are accepted by our own listeners (listeners.ts) and handed in: TLS is then made by the same contexts as
// everywhere else in the mesh, and where a connection came from is known and not guessed.
import type { Duplex } from 'node:stream';
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { SIGN_CERTIFICATE_PATH } from '../api/proto/sentry.ts';
import type { Origin } from './attest/attest.ts';
import type { Ca, RefusalReason } from './ca.ts';

export interface GrpcServer {
  /** Takes over a connection that is ready to carry HTTP/2. */
  accept(connection: Duplex): void;
  /** Breaks off what is under way. */
  stop(): void;
}

// Anybody may connect, and a message that never ends is held until its connection does: times the connections that there may
// be, this has to fit the memory of a replica.
/** Room for the longest token and the longest request that are read. */
const MESSAGE_BYTES_MAX = 40 * 1024;
/** A client asks one thing, and hangs up. */
const STREAMS_MAX = 2;
/** Megabytes per connection, the library's unit. */
const SESSION_MEMORY_MB = 2;
const IDLE_MAX_MS = 30_000;
/** Many times what an answer takes when the API server is slow. */
const AGE_MAX_MS = 60_000;
const AGE_GRACE_MS = 15_000;

const STATUS: Readonly<Record<RefusalReason, status>> = {
  'bad-request': status.INVALID_ARGUMENT,
  'not-proven': status.PERMISSION_DENIED,
  mismatch: status.PERMISSION_DENIED,
  'not-allowed': status.PERMISSION_DENIED,
  'rate-limited': status.RESOURCE_EXHAUSTED,
  busy: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  internal: status.INTERNAL,
};

/** A server for the connections of one origin. */
export function createGrpcServer(ca: Ca, origin: Origin): GrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_concurrent_streams': STREAMS_MAX,
    'grpc-node.max_session_memory': SESSION_MEMORY_MB,
    'grpc.max_connection_idle_ms': IDLE_MAX_MS,
    'grpc.max_connection_age_ms': AGE_MAX_MS,
    'grpc.max_connection_age_grace_ms': AGE_GRACE_MS,
  });
  server.addService(SERVICE, { SignCertificate: signHandler(ca, origin) });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    accept: (connection) => injector.injectConnection(connection),
    stop() {
      injector.destroy();
      server.forceShutdown();
    },
  };
}

/** Bytes through and through: our own codec reads them, so that its complaints reach the caller as such. */
const SERVICE: ServiceDefinition = {
  SignCertificate: {
    path: SIGN_CERTIFICATE_PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: Buffer) => message,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (message: Buffer) => message,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

function signHandler(ca: Ca, origin: Origin): UntypedHandleCall {
  return (
    call: Pick<ServerUnaryCall<Buffer, Buffer>, 'request' | 'getPeer'>,
    done: (error: { code: status; details: string } | null, reply?: Buffer) => void,
  ) => {
    void ca(call.request, { origin, address: addressOf(call.getPeer()) }).then((answer) => {
      if (answer.ok) done(null, answer.value);
      else done({ code: STATUS[answer.error.reason], details: answer.error.message });
    });
  };
}

/** From `address:port`, as the library writes a peer; it knows no address of a Unix socket. */
function addressOf(peer: string): string {
  const address = peer.slice(0, Math.max(0, peer.lastIndexOf(':')));
  return address.replace(/^\[?(?:::ffff:)?(.*?)\]?$/, '$1');
}
