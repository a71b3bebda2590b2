// Connections to one place that speaks HTTP/2, over TLS or without: to the app, or to an outside service. One is for all calls, and
// another is made when its streams run out.
//
// A connection is used once the server's first SETTINGS are here. Only then is it known that HTTP/2 is spoken there at all, so
// that what fails earlier has reached nobody; and how many calls it takes.
//
// One that has stalled gets no new calls (stall-watch.ts). TCP's own keep-alive finds a server on another machine that has vanished.
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type Http2ClientConnection, http2Client } from '../../wire/http2/client.ts';
import type { WireFailure } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';
import { StallWatch } from './stall-watch.ts';
import type { ConnectionSource } from './stream-attempt.ts';

export interface Http2PoolLimits {
  /** With a hundred calls on each, which is what many servers take, more than any one serves. */
  readonly connectionsMax: number;
  /** With those that take no more calls and have some that are to end. */
  readonly openMax: number;
  /** So many stay, though nobody uses them; others go within a minute. */
  readonly idleMax: number;
}

/** Where connections come from. `Why` is what is said where there is none. */
export interface Http2Connector<Why> {
  /** Of the server, as `:authority` has it. */
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  /** Calls `done` once, in a later turn, unless it is cancelled. */
  connect(done: (connected: Result<Socket, Why>) => void): Cancel;
  /** What those hear who wait as the pool is closed. */
  readonly closing: Why;
}

/** Why there is no connection to call on; whichever it is, nothing has reached the server. */
export type Http2Problem<Why> =
  | Why
  | { readonly kind: 'no-http2'; readonly cause: string }
  /** All connections that there may be are full. */
  | { readonly kind: 'no-room'; readonly cause: string };

export type Http2Waiter<Why> = (found: Result<Http2ClientConnection, Http2Problem<Why>>) => void;

const SETTINGS_TIMEOUT_MS = 5000;
/** When those go that nobody uses, beside the ones that stay. */
const SPARE_MS = 60_000;
const KEEP_ALIVE_MS = 15_000;
const STOPPING: WireFailure = { kind: 'closed', reason: 'this sidecar is stopping' };

export class Http2Pool<Why> implements ConnectionSource<Http2Problem<Why>> {
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  readonly #connector: Http2Connector<Why>;
  readonly #clock: Clock;
  readonly #limits: Http2PoolLimits;
  /** Those that take calls; the first that has room is used, so that the last come to be idle. */
  #usable: Http2ClientConnection[] = [];
  /** All that were made and are not closed. */
  readonly #open = new Set<Http2ClientConnection>();
  #cancelConnecting: Cancel | undefined;
  #cancelSweep: Cancel | undefined;
  readonly #waiters = new Set<Http2Waiter<Why>>();
  readonly #watch: StallWatch;

  constructor(connector: Http2Connector<Why>, clock: Clock, limits: Http2PoolLimits) {
    this.authority = connector.authority;
    this.scheme = connector.scheme;
    this.#connector = connector;
    this.#clock = clock;
    this.#limits = limits;
    this.#watch = new StallWatch(clock, (connection) => connection.drain());
  }

  /** A connection that takes another call now. */
  get ready(): Http2ClientConnection | undefined {
    this.#watch.wake();
    return this.#usable.find(({ streamsFree }) => streamsFree > 0);
  }

  /** Nobody waits, nothing is open. */
  get isEmpty(): boolean {
    return this.#open.size === 0 && this.#waiters.size === 0 && this.#cancelConnecting === undefined;
  }

  /** Calls `use` in a later turn, in the order of those who wait. */
  wait(use: Http2Waiter<Why>): Cancel {
    this.#waiters.add(use);
    this.#connect();
    return () => this.#waiters.delete(use);
  }

  /** Takes no new calls from now on: what is open comes to its end. Who waits still gets a connection. */
  retire(): void {
    for (const connection of this.#usable) connection.drain();
  }

  /** Breaks off everything. */
  destroy(): void {
    this.#cancelSweep?.();
    this.#watch.stop();
    this.#cancelConnecting?.();
    this.#failed(this.#connector.closing);
    for (const connection of this.#open) connection.destroy(STOPPING);
  }

  #connect(): void {
    if (this.#cancelConnecting !== undefined) return;
    const { connectionsMax, openMax } = this.#limits;
    if (this.#usable.length >= connectionsMax || this.#open.size >= openMax) {
      const full = { kind: 'no-room', cause: `all ${this.#open.size} connections are full` } as const;
      this.#cancelConnecting = this.#clock.after(0, () => this.#failed(full));
      return;
    }
    this.#cancelConnecting = this.#connector.connect((connected) => {
      if (connected.ok) this.#connected(connected.value);
      else this.#failed(connected.error);
    });
  }

  #connected(socket: Socket): void {
    // What waits for an answer keeps the process alive; the connection need not.
    socket.unref();
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    let isReady = false;
    const connection: Http2ClientConnection = http2Client(
      socketLink(socket),
      {
        ready: () => {
          isReady = true;
          cancelTimeout();
          this.#watch.add(connection, () => socket.bytesRead);
          this.#became(connection);
        },
        retired: () => this.#leave(connection),
        closed: ({ reason }) => {
          cancelTimeout();
          this.#open.delete(connection);
          this.#watch.remove(connection);
          if (!isReady) this.#failed({ kind: 'no-http2', cause: reason });
        },
      },
      { clock: this.#clock },
    );
    const silent: WireFailure = { kind: 'closed', reason: `no SETTINGS within ${SETTINGS_TIMEOUT_MS} ms` };
    const cancelTimeout = this.#clock.after(SETTINGS_TIMEOUT_MS, () => connection.destroy(silent));
    this.#open.add(connection);
    this.#cancelConnecting = () => connection.destroy(STOPPING);
  }

  #became(connection: Http2ClientConnection): void {
    this.#cancelConnecting = undefined;
    this.#usable.push(connection);
    if (connection.streamsFree === 0) this.#failed({ kind: 'no-room', cause: 'it takes no streams' });
    for (const waiter of this.#waiters) {
      if (connection.streamsFree === 0) break;
      this.#waiters.delete(waiter);
      waiter(ok(connection));
    }
    if (this.#waiters.size > 0) this.#connect();
    this.#sweepLater();
  }

  #failed(problem: Http2Problem<Why>): void {
    this.#cancelConnecting = undefined;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter(err(problem));
  }

  #leave(connection: Http2ClientConnection): void {
    this.#usable = this.#usable.filter((other) => other !== connection);
  }

  /** One timer for all, and none where nothing is to go: a sidecar without calls is not woken. */
  #sweepLater(): void {
    if (this.#usable.length > this.#limits.idleMax)
      this.#cancelSweep ??= this.#clock.after(SPARE_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    for (const connection of this.#usable.slice(this.#limits.idleMax))
      if (connection.streamCount === 0) connection.drain();
    this.#sweepLater();
  }
}
