// One mutual-TLS HTTP/2 connection to one peer, shared by all calls to it.
//
//   connecting ──▶ ready ──▶ retired (no new calls; open ones live on) ──▶ closed
//        └──────────┴──────────────────────────────────────────────────────▲
//
// It is ready once the peer's first SETTINGS frame is here: only then has the peer accepted our certificate (in TLS 1.3
// its refusal comes after our side of the handshake is done), so nothing that is sent earlier can be lost silently.
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Fault, fault } from '../../api/fault.ts';
import { type Identity, spiffeId, targetName } from '../../api/ids.ts';
import type { Credentials } from '../../identity/svid.ts';
import { classifyTlsError, clientOptions, peerIdentity } from '../../identity/tls.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import {
  destroySession,
  joinFates,
  keepAlive,
  PEER_STREAM_WINDOW_BYTES,
  retireAfterMs,
  widenWindow,
} from '../link/session.ts';
import type { Endpoint } from '../resolve/resolver.ts';

export interface PeerConnectionDeps {
  readonly credentials: () => Credentials | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What people do about a peer that is not trusted. */
  readonly untrustedAdvice?: string;
}

const ON_A_LAPTOP = 'If it runs on another machine, both must use one certificate authority: see --sentry-address.';

/** A session to send on, or why there is none. */
export type Connected =
  | { readonly ok: true; readonly session: ClientHttp2Session }
  | { readonly ok: false; readonly fault: Fault };
type Waiter = (connected: Connected) => void;

/** TCP within 2 s, TLS within 5 s more: a peer that is there is faster by far, and another may be waiting. */
const CONNECT_TIMEOUT_MS = 2000;
const TLS_TIMEOUT_MS = 5000;

interface Link {
  readonly session: ClientHttp2Session;
  readonly socket: TLSSocket;
  /** Stops the pings and the clock that retires it. */
  readonly cancelTimers: Cancel;
}

type State =
  | { readonly kind: 'connecting'; readonly socket: TLSSocket; readonly waiters: Set<Waiter>; cancelTimeout: Cancel }
  | ({ readonly kind: 'ready' } & Link)
  | ({ readonly kind: 'retired' } & Link)
  | { readonly kind: 'closed'; readonly fault: Fault };

export class PeerConnection {
  readonly #endpoint: Endpoint;
  readonly #expected: Identity;
  readonly #deps: PeerConnectionDeps;
  readonly #log: Log;
  #state: State;
  /** Set once the peer has answered UNIMPLEMENTED to a stream: an old Dapr sidecar. */
  speaksUnaryOnly = false;
  /** The peer ended it with an error: what its streams were closed with says nothing about each of them. */
  wasBrokenOff = false;

  constructor(endpoint: Endpoint, expected: Identity, deps: PeerConnectionDeps) {
    this.#endpoint = endpoint;
    this.#expected = expected;
    this.#deps = deps;
    this.#log = deps.log.with({ peer: targetName(expected), address: `${endpoint.host}:${endpoint.port}` });
    this.#state = this.#connect();
  }

  /** Whether a new call may be given to it. */
  get isUsable(): boolean {
    return this.#state.kind === 'connecting' || this.#state.kind === 'ready';
  }

  /** Calls `use` with a session: now if there is one, else as soon as it is known whether there will be. */
  withSession(use: Waiter): Cancel {
    const state = this.#state;
    if (state.kind === 'ready') use({ ok: true, session: state.session });
    else if (state.kind === 'closed') use({ ok: false, fault: state.fault });
    else if (state.kind === 'retired') use({ ok: false, fault: this.#unreachable('is being closed') });
    else {
      state.waiters.add(use);
      return () => state.waiters.delete(use);
    }
    return () => undefined;
  }

  /** No new call; those under way finish, then it closes by itself. */
  retire(): void {
    const state = this.#state;
    if (state.kind === 'connecting') this.#close(this.#unreachable('is being closed'));
    if (state.kind !== 'ready') return;
    this.#state = { ...state, kind: 'retired' };
    state.session.close();
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  destroy(reason: Fault): void {
    this.#close(reason);
  }

  #connect(): State {
    const credentials = this.#deps.credentials();
    if (credentials === undefined)
      return { kind: 'closed', fault: fault('not-ready', 'this sidecar has no certificate yet.') };
    const { host, port } = this.#endpoint;
    const expected = { identity: this.#expected, now: this.#deps.clock.now };
    const socket = connectTls({ host, port, ...clientOptions(credentials, expected) });
    socket.setNoDelay(true);
    const timeout = (ms: number, what: string) =>
      this.#deps.clock.after(ms, () => this.#failed(new Error(`${what} took longer than ${ms} ms`)));
    const state: Extract<State, { kind: 'connecting' }> = {
      kind: 'connecting',
      socket,
      waiters: new Set(),
      cancelTimeout: timeout(CONNECT_TIMEOUT_MS, 'connecting'),
    };
    socket.once('connect', () => {
      state.cancelTimeout();
      state.cancelTimeout = timeout(TLS_TIMEOUT_MS, 'the TLS handshake');
    });
    socket.once('secureConnect', () => this.#secured(socket, credentials));
    socket.on('error', (error) => this.#failed(error));
    socket.once('close', () => this.#failed(new Error('the peer closed the connection')));
    return state;
  }

  #secured(socket: TLSSocket, credentials: Credentials): void {
    if (this.#state.kind !== 'connecting') return;
    const peer = peerIdentity(socket, this.#expected.trustDomain, this.#deps.clock.now());
    if (!peer.ok) {
      this.#close(this.#untrusted(peer.error));
      return;
    }
    const session = connectHttp2('https://peer', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: PEER_STREAM_WINDOW_BYTES },
    });
    joinFates(session, socket);
    session.on('error', (error) => this.#failed(error));
    session.on('goaway', (code) => {
      this.wasBrokenOff ||= code !== 0;
      this.retire();
    });
    session.once('close', () => this.#failed(new Error('the peer closed the connection')));
    const notAfter = Math.min(peer.value.notAfter, credentials.svid.notAfter);
    session.once('remoteSettings', () => this.#established(session, notAfter));
  }

  #established(session: ClientHttp2Session, notAfter: number): void {
    const state = this.#state;
    if (state.kind !== 'connecting') return;
    state.cancelTimeout();
    widenWindow(session);
    const { clock, random } = this.#deps;
    const cancelKeepAlive = keepAlive(session, clock, () =>
      this.#failed(new Error('the peer stopped answering pings')),
    );
    const cancelRetire = clock.after(retireAfterMs(notAfter, clock.now(), random), () => this.retire());
    const cancelTimers = () => {
      cancelKeepAlive();
      cancelRetire();
    };
    this.#state = { kind: 'ready', session, socket: state.socket, cancelTimers };
    for (const waiter of state.waiters) waiter({ ok: true, session });
  }

  /** The platform's error, told once: whatever comes after the first is an echo of it. */
  #failed(error: Error): void {
    if (this.#state.kind === 'closed') return;
    const isUntrusted = this.#state.kind === 'connecting' && classifyTlsError(error) === 'untrusted';
    this.#close(isUntrusted ? this.#untrusted(error.message) : this.#unreachable('cannot be reached', error.message));
  }

  #close(reason: Fault): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#state = { kind: 'closed', fault: reason };
    if (state.kind === 'connecting') {
      this.#log.warn('no connection to the peer', { fault: reason.code, reason: reason.message, cause: reason.cause });
      state.cancelTimeout();
      state.socket.destroy();
      for (const waiter of state.waiters) waiter({ ok: false, fault: reason });
      return;
    }
    state.cancelTimers();
    destroySession(state.session, state.socket);
  }

  #unreachable(what: string, cause?: string): Fault {
    const message = `the sidecar of ${targetName(this.#expected)} ${what}; nothing was sent. Is it still running?`;
    return fault('peer-unreachable', message, cause);
  }

  #untrusted(reason: string): Fault {
    return fault(
      'peer-untrusted',
      `the peer that answers for ${targetName(this.#expected)} is not trusted as ${spiffeId(this.#expected)} (${reason}); nothing was sent. ` +
        (this.#deps.untrustedAdvice ?? ON_A_LAPTOP),
    );
  }
}
