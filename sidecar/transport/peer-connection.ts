// One mutual-TLS HTTP/2 connection to one peer, shared by all calls to it.
//
//   connecting ──▶ ready ──▶ retired (no new calls; open ones live on) ──▶ closed
//        └──────────┴──────────────────────────────────────────────────────▲
//
// It is ready once the peer's first SETTINGS frame is here: only then has the peer accepted our certificate (in TLS 1.3
// its refusal comes after our side of the handshake is done), so nothing that is sent earlier can be lost silently.
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Fault, fault } from '../../api/fault.ts';
import { type Identity, spiffeId, targetName } from '../../api/ids.ts';
import type { Credentials } from '../../identity/svid.ts';
import { classifyTlsError, clientOptions, peerIdentity } from '../../identity/tls.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type Http2ClientConnection, http2Client } from '../../wire/http2/client.ts';
import { socketLink, withIntake } from '../../wire/socket-link.ts';
import { keepAlive } from '../link/keep-alive.ts';
import { retireAfterMs } from '../link/retire.ts';
import type { ConnectionSource } from '../link/stream-attempt.ts';
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

type Waiter = (found: Result<Http2ClientConnection, Fault>) => void;

/** TCP within 2 s, TLS within 5 s more: a peer that is there is faster by far, and another may be waiting. */
const CONNECT_TIMEOUT_MS = 2000;
const TLS_TIMEOUT_MS = 5000;
/** Calls on one connection at once, or fewer where the peer says so. */
const STREAMS_MAX = 4096;

interface Link {
  readonly connection: Http2ClientConnection;
  /** Stops the pings and the clock that retires it. */
  readonly cancelTimers: Cancel;
}

type State =
  | { readonly kind: 'connecting'; readonly socket: TLSSocket; readonly waiters: Set<Waiter>; cancelTimeout: Cancel }
  | ({ readonly kind: 'ready' } & Link)
  | ({ readonly kind: 'retired' } & Link)
  | { readonly kind: 'closed'; readonly fault: Fault };

export class PeerConnection implements ConnectionSource<Fault> {
  readonly #endpoint: Endpoint;
  readonly #expected: Identity;
  readonly #deps: PeerConnectionDeps;
  readonly #log: Log;
  #state: State;
  /** When it was ready, on the monotonic clock. */
  readyMs: number | 'not-yet' = 'not-yet';
  /** Set once the peer has answered UNIMPLEMENTED to a stream: an old Dapr sidecar. */
  speaksUnaryOnly = false;

  constructor(endpoint: Endpoint, expected: Identity, deps: PeerConnectionDeps) {
    this.#endpoint = endpoint;
    this.#expected = expected;
    this.#deps = deps;
    this.#log = deps.log.with({ peer: targetName(expected), address: `${endpoint.host}:${endpoint.port}` });
    this.#state = this.#connect();
  }

  /** Whether new calls may be given to it, if not at this moment. */
  get isUsable(): boolean {
    return this.#state.kind === 'connecting' || this.#state.kind === 'ready';
  }

  /** Whether it takes another call now. */
  get hasRoom(): boolean {
    return (
      this.#state.kind === 'connecting' || (this.#state.kind === 'ready' && this.#state.connection.streamsFree > 0)
    );
  }

  /** What to send on, if it is known already: most calls need not wait. */
  get ready(): Http2ClientConnection | undefined {
    return this.#state.kind === 'ready' ? this.#state.connection : undefined;
  }

  /** Calls `use` with the connection: now if there is one, else as soon as it is known whether there will be. */
  wait(use: Waiter): Cancel {
    const state = this.#state;
    if (state.kind === 'ready') use(ok(state.connection));
    else if (state.kind === 'closed') use(err(state.fault));
    else if (state.kind === 'retired') use(err(this.#unreachable('is being closed')));
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
    state.connection.drain();
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
    const socket = withIntake((reading) =>
      connectTls({ host, port, ...clientOptions(credentials, expected), ...reading }),
    );
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
    const notAfter = Math.min(peer.value.notAfter, credentials.svid.notAfter);
    const connection: Http2ClientConnection = http2Client(
      socketLink(socket),
      {
        ready: () => this.#established(connection, notAfter),
        retired: () => this.retire(),
        closed: ({ reason }) => this.#failed(new Error(reason)),
      },
      { clock: this.#deps.clock, streamsMax: STREAMS_MAX },
    );
  }

  #established(connection: Http2ClientConnection, notAfter: number): void {
    const state = this.#state;
    if (state.kind !== 'connecting') return;
    state.cancelTimeout();
    const { clock, random } = this.#deps;
    const dead = () => this.#failed(new Error('the peer stopped answering pings'));
    const cancelKeepAlive = keepAlive(connection, clock, dead);
    const cancelRetire = clock.after(retireAfterMs(notAfter, clock.now(), random), () => this.retire());
    const cancelTimers = () => {
      cancelKeepAlive();
      cancelRetire();
    };
    this.#state = { kind: 'ready', connection, cancelTimers };
    this.readyMs = clock.elapsed();
    for (const waiter of state.waiters) waiter(ok(connection));
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
      for (const waiter of state.waiters) waiter(err(reason));
      return;
    }
    state.cancelTimers();
    state.connection.destroy({ kind: 'closed', reason: reason.cause ?? reason.message });
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
