// The peer API: other sidecars, over mutual TLS 1.3 and HTTP/2.
//
// Who a peer is, is read from its certificate once per connection; a connection whose certificate does not name exactly
// one workload of our trust domain serves nothing. On it, the two methods of ServiceInvocation, which carry HTTP calls, our own
// for tunnels, and native gRPC calls to the app.
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { PEER_BYTES_MAX, PEER_FIELDS_MAX } from '../../api/headers.ts';
import type { Identity } from '../../api/ids.ts';
import { TUNNEL } from '../../api/proto/tunnel.ts';
import type { Credentials } from '../../identity/svid.ts';
import { type PeerCertificate, peerIdentity, serverContext } from '../../identity/tls.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { HeldBytes } from '../../kit/held-bytes.ts';
import type { Log } from '../../kit/log.ts';
import { SeldomLine } from '../../kit/log-seldom.ts';
import { type Http2ServerConnection, http2Server } from '../../wire/http2/server.ts';
import type { RequestHead, RequestReceiver, Responder, WireFailure } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';
import { isGrpc } from '../link/grpc-serving.ts';
import { keepAlive } from '../link/keep-alive.ts';
import { CALL_LOCAL, CALL_LOCAL_STREAM } from '../link/messages.ts';
import { refuseNonGrpc } from '../link/not-grpc.ts';
import { retireAfterMs } from '../link/retire.ts';
import { type PeerCallDeps, servePeerCall } from './peer-exchange.ts';
import { servePeerGrpc } from './peer-grpc.ts';
import { type PeerTunnelDeps, servePeerTunnel } from './peer-tunnel.ts';

type StreamDeps = PeerCallDeps & PeerTunnelDeps;

export interface PeerEdgeDeps extends Omit<StreamDeps, 'caller' | 'held'> {
  readonly self: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Connections that have not shown yet who they are. */
  readonly handshakesMax?: number;
}

/** Calls that one peer may have open here at once. */
const STREAMS_MAX = 4096;
/** Of messages that one peer has begun and not finished. */
const HELD_BYTES_MAX = 32 * 1024 * 1024;
const TLS_TIMEOUT_MS = 5000;
/** Whoever reaches the port can begin one, and it takes memory until its time is up. */
const HANDSHAKES_MAX = 2000;
const GRPC_ONLY = 'This port is for other sidecars, which call it by gRPC.';
const STOPPING: WireFailure = { kind: 'closed', reason: 'this sidecar is stopping' };

export class PeerEdge {
  readonly server: Server;
  readonly #deps: PeerEdgeDeps;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<Http2ServerConnection>();
  readonly #refusals: SeldomLine;
  /** Epoch milliseconds: the end of our own certificate. */
  #notAfter = Number.POSITIVE_INFINITY;
  #isDraining = false;

  constructor(deps: PeerEdgeDeps) {
    this.#deps = deps;
    const { clock, log } = deps;
    this.#refusals = new SeldomLine(clock, (fields) => log.warn('a peer connection was refused or broke', fields));
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
    this.#boundHandshakes();
    this.server.on('drop', () => this.#refused('too many connections are amid their handshakes'));
    this.server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.server.on('tlsClientError', (error, socket) => {
      // A handshake that timed out leaves its socket to us.
      socket.destroy();
      this.#refused(error.message);
    });
  }

  /** Takes a new certificate or new anchors into use, for connections from now on. */
  use(credentials: Credentials): void {
    this.server.setSecureContext(serverContext(credentials));
    this.#notAfter = credentials.svid.notAfter;
  }

  /** Says to every peer that no new call should come here. Calls on their way are still taken; those that are open go on. */
  drain(): void {
    this.#isDraining = true;
    for (const connection of this.#connections) connection.drain();
  }

  destroy(): void {
    for (const connection of this.#connections) connection.destroy(STOPPING);
    // Those that have not come as far as TLS.
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Further ones are closed as they come. Peers that are served take no places from others. */
  #boundHandshakes(): void {
    this.server.maxConnections = this.#connections.size + (this.#deps.handshakesMax ?? HANDSHAKES_MAX);
  }

  /** Identify: who is at the other end, once for the life of the connection, before a byte of HTTP/2 is spoken. */
  #connected(socket: TLSSocket): void {
    const { self, clock } = this.#deps;
    socket.on('error', () => undefined);
    const peer = peerIdentity(socket, self.trustDomain, clock.now());
    if (!peer.ok || socket.alpnProtocol !== 'h2') {
      this.#refused(peer.ok ? 'the peer does not speak HTTP/2' : peer.error);
      socket.destroy();
      return;
    }
    this.#serve(socket, peer.value);
  }

  #serve(socket: TLSSocket, peer: PeerCertificate): void {
    const { clock, random } = this.#deps;
    const held = new HeldBytes(HELD_BYTES_MAX);
    const deps: StreamDeps = { ...this.#deps, caller: peer.identity, held };
    const cancels: Cancel[] = [];
    const closed = (failure: WireFailure) => {
      this.#connections.delete(connection);
      this.#boundHandshakes();
      for (const cancel of cancels) cancel();
      if (failure.kind === 'malformed' || failure.kind === 'limit') this.#refused(failure.reason);
    };
    const connection = http2Server(
      socketLink(socket),
      (head, responder) => serveStream(head, responder, deps),
      { closed },
      { clock, streamsMax: STREAMS_MAX, headBytesMax: PEER_BYTES_MAX, headFieldsMax: PEER_FIELDS_MAX },
    );
    this.#connections.add(connection);
    this.#boundHandshakes();
    const dead = () => connection.destroy({ kind: 'closed', reason: 'the peer stopped answering pings' });
    const retireMs = retireAfterMs(Math.min(peer.notAfter, this.#notAfter), clock.now(), random);
    cancels.push(
      keepAlive(connection, clock, dead),
      clock.after(retireMs, () => connection.drain()),
    );
    if (this.#isDraining) connection.drain();
  }

  /** Whoever can reach the port can make this happen. */
  #refused(reason: string): void {
    this.#refusals.say({ reason });
  }
}

function serveStream(head: RequestHead, responder: Responder, deps: StreamDeps): RequestReceiver {
  const { target } = head;
  if (!isGrpc(head.fields)) return refuseNonGrpc(responder, GRPC_ONLY);
  if (target === CALL_LOCAL_STREAM) return servePeerCall(head, responder, false, deps);
  if (target === CALL_LOCAL) return servePeerCall(head, responder, true, deps);
  if (target === TUNNEL) return servePeerTunnel(head, responder, deps);
  return servePeerGrpc(head, responder, deps);
}
