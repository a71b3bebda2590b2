// The peer API: other sidecars, over mutual TLS 1.3 and HTTP/2.
//
// Who a peer is, is read from its certificate once per connection; a connection whose certificate does not name exactly
// one workload of our trust domain serves nothing. On it, the two methods of ServiceInvocation and no other.
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import type { Identity } from '../../api/ids.ts';
import type { Credentials } from '../../identity/svid.ts';
import { type PeerCertificate, peerIdentity, serverContext } from '../../identity/tls.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { excerpt } from '../../kit/text.ts';
import { CALL_LOCAL, CALL_LOCAL_STREAM } from '../link/messages.ts';
import {
  destroySession,
  joinFates,
  keepAlive,
  PEER_STREAM_WINDOW_BYTES,
  retireAfterMs,
  widenWindow,
} from '../link/session.ts';
import { type HoldBudget, type PeerCallDeps, servePeerCall } from './peer-exchange.ts';

export interface PeerEdgeDeps extends Omit<PeerCallDeps, 'caller' | 'budget'> {
  readonly self: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const HTTP2_OPTIONS = {
  /** In megabytes. */
  maxSessionMemory: 64,
  settings: {
    enablePush: false,
    initialWindowSize: PEER_STREAM_WINDOW_BYTES,
    maxConcurrentStreams: 4096,
    maxHeaderListSize: 64 * 1024,
  },
} as const;

const TLS_TIMEOUT_MS = 5000;

interface Link {
  readonly session: ServerHttp2Session;
  readonly socket: TLSSocket;
  readonly peer: PeerCertificate;
  readonly budget: HoldBudget;
}

export class PeerEdge {
  readonly server: Server;
  readonly #deps: PeerEdgeDeps;
  readonly #sockets = new Set<Socket>();
  readonly #links = new Set<Link>();
  /** Epoch milliseconds: the end of our own certificate. */
  #notAfter = Number.POSITIVE_INFINITY;
  #isDraining = false;
  #loggedMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(deps: PeerEdgeDeps) {
    this.#deps = deps;
    // Until it has a certificate every handshake fails: nothing is served without an identity. What is of the server
    // and not of its secure context has to be said here: `setSecureContext` would not take it.
    this.server = createServer({
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
      handshakeTimeout: TLS_TIMEOUT_MS,
    });
    this.server.on('secureConnection', (socket) => this.#connected(socket));
    this.server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.server.on('tlsClientError', (error, socket) => {
      // A handshake that timed out leaves its socket to us.
      socket.destroy();
      this.#refused(error);
    });
  }

  /** Takes a new certificate or new anchors into use, for connections from now on. */
  use(credentials: Credentials): void {
    this.server.setSecureContext(serverContext(credentials));
    this.#notAfter = credentials.svid.notAfter;
  }

  /**
   * Says to every peer that no new call should come here; calls that are open go on.
   *
   * One GOAWAY that names the last call taken, and not RFC 9113's warning with a round trip before it: nghttp2 takes no
   * new stream once it has sent a GOAWAY of any kind, so the warning would leave a call that is on its way hanging. This
   * one refuses it, which proves to its sender that nobody has seen it, and it goes elsewhere.
   */
  drain(): void {
    this.#isDraining = true;
    for (const { session } of this.#links) session.close();
  }

  destroy(): void {
    for (const { session, socket } of this.#links) destroySession(session, socket);
    // Those that have not come as far as TLS.
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Identify: who is at the other end, once for the life of the connection, before a byte of HTTP/2 is spoken. */
  #connected(socket: TLSSocket): void {
    const { self, clock } = this.#deps;
    socket.on('error', () => undefined);
    const peer = peerIdentity(socket, self.trustDomain, clock.now());
    if (!peer.ok || socket.alpnProtocol !== 'h2') {
      this.#refused(new Error(peer.ok ? 'the peer does not speak HTTP/2' : peer.error));
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    this.#serve(performServerHandshake(socket, HTTP2_OPTIONS), socket, peer.value);
  }

  #serve(session: ServerHttp2Session, socket: TLSSocket, peer: PeerCertificate): void {
    const { clock, random } = this.#deps;
    const link: Link = { session, socket, peer, budget: { heldBytes: 0 } };
    this.#links.add(link);
    joinFates(session, socket);
    widenWindow(session);
    const cancels: Cancel[] = [
      keepAlive(session, clock, () => destroySession(session, socket)),
      clock.after(retireAfterMs(Math.min(peer.notAfter, this.#notAfter), clock.now(), random), () => session.close()),
    ];
    session.on('error', (error) => this.#refused(error));
    session.once('close', () => {
      this.#links.delete(link);
      for (const cancel of cancels) cancel();
    });
    session.on('stream', (stream, headers) => this.#call(stream, headers, link));
    if (this.#isDraining) session.close();
  }

  #call(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, { peer, budget }: Link): void {
    // An error on a stream is followed by its 'close', which is where it is dealt with.
    stream.on('error', () => undefined);
    // It may have been reset, or its connection lost, in the very read that brought it: there is nobody to answer.
    if (stream.closed || stream.destroyed) return;
    const isGrpc = String(headers['content-type'] ?? '').startsWith('application/grpc');
    const path = headers[':path'];
    if (!isGrpc) {
      stream.respond({ ':status': 415 }, { endStream: true });
    } else if (path === CALL_LOCAL_STREAM || path === CALL_LOCAL) {
      servePeerCall(stream, headers, path === CALL_LOCAL, { ...this.#deps, caller: peer.identity, budget });
    } else {
      const reason = fault('unimplemented', `this sidecar has no method ${excerpt(String(path))}.`);
      refuseStream(stream, reason);
    }
  }

  /** One line a second at most: whoever can reach the port can make this happen. */
  #refused(error: Error): void {
    const nowMs = this.#deps.clock.elapsed();
    if (nowMs - this.#loggedMs < 1000) {
      this.#unlogged++;
      return;
    }
    this.#deps.log.warn('a peer connection was refused or broke', { reason: error.message, unlogged: this.#unlogged });
    this.#loggedMs = nowMs;
    this.#unlogged = 0;
  }
}

function refuseStream(stream: ServerHttp2Stream, reason: Fault): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...faultTrailers(reason) }, { endStream: true });
}
