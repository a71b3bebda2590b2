// The gRPC face of the feed: who is at the other end, by the certificate alone, and how many there may be.
//
// Sockets are accepted by our own listener and handed in, as at the sentry: TLS is made by the same contexts as everywhere else.
import { X509Certificate } from 'node:crypto';
import { Server, ServerCredentials, type ServiceDefinition, status, type UntypedHandleCall } from '@grpc/grpc-js';
import { type Identity, spiffeId, type TrustDomain } from '../../api/ids.ts';
import { FEED_MESSAGE_BYTES_MAX, FEED_PATH } from '../../api/proto/feed.ts';
import type { Credentials } from '../../identity/svid.ts';
import { readPeerCertificate } from '../../identity/tls.ts';
import { listenOnTls } from '../../identity/tls-listener.ts';
import type { Clock } from '../../kit/clock.ts';
import type { ListenAddress } from '../../kit/listen.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Snapshot } from '../../kit/snapshot.ts';
import { Connections } from './connections.ts';
import { type Ending, endCall, type FeedCall, type FeedStream } from './stream.ts';

export interface FeedServerOptions {
  readonly listen: ListenAddress;
  readonly trustDomain: TrustDomain;
  /** Until there are some, every handshake fails. */
  readonly credentials: Snapshot<Credentials | undefined>;
  readonly clock: Clock;
  readonly log: Log;
  /** A sidecar opened a stream. */
  readonly serve: (call: FeedCall, self: Identity, log: Log) => FeedStream;
  /** How many streams there are now. */
  readonly changed: (streams: number) => void;
}

export interface FeedServer {
  /** With the port that was bound. */
  readonly address: ListenAddress | undefined;
  /** Ends every stream with words that send its sidecar elsewhere, and then every connection. */
  stop(): Promise<void>;
}

/** A hundred kilobytes each, measured: as many as fit the memory that the chart gives a replica. */
const STREAMS_MAX = 3000;
/** Room for those that come while others go. */
const CONNECTIONS_MAX = 3600;
/** A pod, or a whole node's pods where their addresses are hidden behind the node's. */
const CONNECTIONS_PER_ADDRESS_MAX = 512;
const STREAMS_PER_CONNECTION_MAX = 1;
/** A hello and the longest names of a thousand apps. */
const REQUEST_BYTES_MAX = 128 * 1024;
/** Megabytes per connection, the library's unit. */
const SESSION_MEMORY_MB = 32;
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** For the last words to reach sidecars that read. */
const STOP_MS = 1000;

export async function startFeedServer(options: FeedServerOptions): Promise<Result<FeedServer>> {
  const { credentials } = options;
  const streams = new Streams();
  const server = new Server({
    'grpc.max_receive_message_length': REQUEST_BYTES_MAX,
    'grpc.max_send_message_length': FEED_MESSAGE_BYTES_MAX,
    'grpc.max_concurrent_streams': STREAMS_PER_CONNECTION_MAX,
    'grpc-node.max_session_memory': SESSION_MEMORY_MB,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  });
  server.addService(SERVICE, { Subscribe: subscribeHandler(options, streams) });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const connections = new Connections(options);
  const listener = await listenOnTls(
    options.listen,
    credentials.current(),
    // Those that have not come as far as a certificate count, too.
    {
      clientCertificate: 'required',
      connectionsMax: CONNECTIONS_MAX,
      connectionsPerAddressMax: CONNECTIONS_PER_ADDRESS_MAX,
    },
    (socket) => connections.admit(socket) && injector.injectConnection(socket),
  );
  if (!listener.ok) {
    server.forceShutdown();
    return err(`the feed ${listener.error}`);
  }
  const cancelRenewal = credentials.changed((renewed) => renewed && listener.value.renew(renewed));
  return ok({
    address: listener.value.address,
    async stop() {
      cancelRenewal();
      streams.stop();
      // Having read the end of its stream, a sidecar hangs up.
      await connections.gone(STOP_MS);
      server.forceShutdown();
      await listener.value.close();
    },
  });
}

const STOPPING: Ending = { code: status.UNAVAILABLE, details: 'this replica of the operator is stopping' };
const FULL: Ending = {
  code: status.RESOURCE_EXHAUSTED,
  details: `this replica serves ${STREAMS_MAX} streams already; run more replicas of the operator`,
};

/** Those that are open. Once stopped, there are no new ones. */
class Streams {
  readonly #open = new Set<FeedStream>();
  #isStopping = false;

  /** Why there can be no further stream; undefined when there can. */
  refusal(): Ending | undefined {
    if (this.#isStopping) return STOPPING;
    return this.#open.size >= STREAMS_MAX ? FULL : undefined;
  }

  add(call: FeedCall, stream: FeedStream, changed: (streams: number) => void): void {
    this.#open.add(stream);
    changed(this.#open.size);
    call.once('close', () => {
      this.#open.delete(stream);
      changed(this.#open.size);
    });
  }

  stop(): void {
    this.#isStopping = true;
    for (const stream of [...this.#open]) stream.end(STOPPING);
  }
}

function subscribeHandler(options: FeedServerOptions, streams: Streams): UntypedHandleCall {
  return (call: FeedCall) => {
    const self = callerOf(call, options);
    if (!self.ok) {
      endCall(call, { code: status.UNAUTHENTICATED, details: self.error });
      return;
    }
    const refusal = streams.refusal();
    if (refusal !== undefined) {
      endCall(call, refusal);
      return;
    }
    const log = options.log.with({ app: spiffeId(self.value), from: call.getPeer() });
    streams.add(call, options.serve(call, self.value, log), options.changed);
  };
}

function callerOf(call: FeedCall, { trustDomain, clock }: FeedServerOptions): Result<Identity> {
  const shown = call.getAuthContext().sslPeerCertificate;
  if (shown === undefined) return err('the connection has no certificate');
  const peer = readPeerCertificate(new X509Certificate(shown.raw), trustDomain, clock.now());
  return peer.ok ? ok(peer.value.identity) : peer;
}

/** Bytes through and through: our own codec reads them. */
const SERVICE: ServiceDefinition = {
  Subscribe: {
    path: FEED_PATH,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message: Buffer) => message,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (message: Buffer) => message,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};
