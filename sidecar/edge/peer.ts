// The peer API: other sidecars, over mutual TLS 1.3 and HTTP/2.
//
// Who a peer is, is read from its certificate once per connection; a connection whose certificate does not name exactly
// one workload of our trust domain serves nothing. On it, the two methods of ServiceInvocation and no other.
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { TLSSocket } from 'node:tls';
import { fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import type { Identity } from '../../api/ids.ts';
import type { Credentials } from '../../identity/svid.ts';
import { type PeerCertificate, peerIdentity, serverContext } from '../../identity/tls.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { CALL_LOCAL, CALL_LOCAL_STREAM } from '../link/messages.ts';
import { keepAlive, PEER_STREAM_WINDOW_BYTES, retireAfterMs, widenWindow } from '../link/session.ts';
import { type PeerCallDeps, servePeerStream } from './peer-stream.ts';
import { servePeerUnary } from './peer-unary.ts';

export interface PeerEdgeDeps extends Omit<PeerCallDeps, 'caller'> {
  readonly self: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Streams that one peer may have open at once. */
const STREAMS_MAX = 4096;
const HEAD_BYTES_MAX = 64 * 1024;
const SESSION_MEMORY_MB_MAX = 64;

export class PeerEdge {
  readonly server: Http2SecureServer;
  readonly #deps: PeerEdgeDeps;
  readonly #sessions = new Set<ServerHttp2Session>();
  #isDraining = false;

  constructor(deps: PeerEdgeDeps) {
    this.#deps = deps;
    // Until it has a certificate every handshake fails: nothing is served without an identity.
    this.server = createSecureServer({
      minVersion: 'TLSv1.3',
      // Of the server and not of its secure context: `setSecureContext` would not take them.
      requestCert: true,
      rejectUnauthorized: true,
      allowHTTP1: false,
      maxSessionMemory: SESSION_MEMORY_MB_MAX,
      settings: {
        enablePush: false,
        initialWindowSize: PEER_STREAM_WINDOW_BYTES,
        maxConcurrentStreams: STREAMS_MAX,
        maxHeaderListSize: HEAD_BYTES_MAX,
      },
    });
    this.server.on('session', (session) => this.#opened(session));
    this.server.on('sessionError', (error) => this.#refused(error));
    this.server.on('tlsClientError', (error) => this.#refused(error));
  }

  /** Takes a new certificate or new anchors into use, for connections from now on. */
  use(credentials: Credentials): void {
    this.server.setSecureContext(serverContext(credentials));
  }

  /**
   * Says to every peer that no new call should come here: GOAWAY, one round trip for the calls that are already on
   * their way, final GOAWAY. Calls that are open go on.
   */
  drain(): void {
    this.#isDraining = true;
    for (const session of this.#sessions) drainSession(session);
  }

  destroy(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #opened(session: ServerHttp2Session): void {
    const { self, clock, random } = this.#deps;
    session.on('error', (error) => this.#refused(error));
    const peer = certificateOf(session, self, clock);
    if (!peer.ok) {
      this.#refused(new Error(peer.error));
      session.destroy();
      return;
    }
    this.#sessions.add(session);
    widenWindow(session);
    const cancels: Cancel[] = [
      keepAlive(session, clock, () => session.destroy()),
      clock.after(retireAfterMs(peer.value.notAfter, clock.now(), random), () => drainSession(session)),
    ];
    session.once('close', () => {
      this.#sessions.delete(session);
      for (const cancel of cancels) cancel();
    });
    session.on('stream', (stream, headers) => this.#call(stream, headers, peer.value));
    if (this.#isDraining) drainSession(session);
  }

  #call(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: PeerCertificate): void {
    // An error on a stream is followed by its 'close', which is where it is dealt with.
    stream.on('error', () => undefined);
    const deps = { ...this.#deps, caller: peer.identity };
    const isGrpc = String(headers['content-type'] ?? '').startsWith('application/grpc');
    if (isGrpc && headers[':path'] === CALL_LOCAL_STREAM) servePeerStream(stream, headers, deps);
    else if (isGrpc && headers[':path'] === CALL_LOCAL) servePeerUnary(stream, headers, deps);
    else refuseStream(stream, isGrpc, String(headers[':path']));
  }

  #refused(error: Error): void {
    this.#deps.log.warn('a peer connection was refused or broke', { reason: error.message });
  }
}

function certificateOf(session: ServerHttp2Session, self: Identity, clock: Clock) {
  const { socket } = session;
  if (!(socket instanceof TLSSocket)) return { ok: false, error: 'the connection is not TLS' } as const;
  return peerIdentity(socket, self.trustDomain, clock.now());
}

const LAST_STREAM_ID_MAX = 2 ** 31 - 1;

function drainSession(session: ServerHttp2Session): void {
  if (session.destroyed || session.closed) return;
  session.goaway(0, LAST_STREAM_ID_MAX);
  session.ping(() => {
    if (!session.destroyed) session.close();
  });
}

function refuseStream(stream: ServerHttp2Stream, isGrpc: boolean, path: string): void {
  if (!isGrpc) {
    stream.respond({ ':status': 415 }, { endStream: true });
    return;
  }
  const reason = fault('unimplemented', `this sidecar has no method ${path.slice(0, 120)}.`);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...faultTrailers(reason) }, { endStream: true });
}
