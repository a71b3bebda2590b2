// Connections to an app that speaks HTTP/2, over TLS or without (h2c): one for all calls, and another when its streams run out.
//
// A connection is used once the app's first SETTINGS are here. Only then is it known that HTTP/2 is spoken there at all, so
// that what fails earlier has reached nobody; and how many calls it takes.
//
// One that has stalled gets no new calls (stall-watch.ts). TCP's own keep-alive finds an app on another machine that has vanished.
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type Http2ClientConnection, http2Client } from '../../wire/http2/client.ts';
import type { WireFailure } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';
import { authority } from './address.ts';
import { type AppAddress, type ConnectProblem, connectToApp } from './connect.ts';
import { StallWatch } from './stall-watch.ts';

/** Why there is no connection to call on; whichever it is, nothing has reached the app. */
export type H2cProblem =
  | ConnectProblem
  | { readonly kind: 'no-http2'; readonly cause: string }
  /** All connections that there may be are full. */
  | { readonly kind: 'no-room'; readonly cause: string };

export type H2cWaiter = (found: Result<Http2ClientConnection, H2cProblem>) => void;

const SETTINGS_TIMEOUT_MS = 5000;
/** With a hundred calls on each, which is what many servers take, more than any app serves. */
const CONNECTIONS_MAX = 64;
/** When those beside the first go that nobody uses. */
const SPARE_MS = 60_000;
const KEEP_ALIVE_MS = 15_000;
const STOPPING: WireFailure = { kind: 'closed', reason: 'this sidecar is stopping' };

export class H2cPool {
  readonly authority: string;
  readonly port: number;
  readonly scheme: 'http' | 'https';
  readonly #address: AppAddress;
  readonly #clock: Clock;
  /** Those that take calls; the first that has room is used, so that the last come to be idle. */
  #usable: Http2ClientConnection[] = [];
  /** All that were made and are not closed. */
  readonly #open = new Set<Http2ClientConnection>();
  #cancelConnecting: Cancel | undefined;
  #cancelSweep: Cancel | undefined;
  readonly #waiters = new Set<H2cWaiter>();
  readonly #watch: StallWatch;

  constructor(address: AppAddress, clock: Clock) {
    this.authority = authority(address.host, address.port);
    this.port = address.port;
    this.scheme = address.tls === undefined ? 'http' : 'https';
    this.#address = address;
    this.#clock = clock;
    this.#watch = new StallWatch(clock, (connection) => connection.drain());
  }

  /** A connection that takes another call now. */
  get ready(): Http2ClientConnection | undefined {
    this.#watch.wake();
    return this.#usable.find(({ streamsFree }) => streamsFree > 0);
  }

  /** Calls `use` in a later turn, in the order of those who wait. */
  wait(use: H2cWaiter): Cancel {
    this.#waiters.add(use);
    this.#connect();
    return () => this.#waiters.delete(use);
  }

  /** Breaks off everything. */
  destroy(): void {
    this.#cancelSweep?.();
    this.#watch.stop();
    this.#cancelConnecting?.();
    this.#failed({ kind: 'no-connection', cause: STOPPING.reason });
    for (const connection of this.#open) connection.destroy(STOPPING);
  }

  #connect(): void {
    if (this.#cancelConnecting !== undefined) return;
    if (this.#usable.length >= CONNECTIONS_MAX) {
      const full: H2cProblem = { kind: 'no-room', cause: `all ${CONNECTIONS_MAX} connections are full` };
      this.#cancelConnecting = this.#clock.after(0, () => this.#failed(full));
      return;
    }
    this.#cancelConnecting = connectToApp(this.#address, this.#clock, (connected) => {
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
    if (this.#usable.length > 1) this.#cancelSweep ??= this.#clock.after(SPARE_MS, () => this.#sweep());
  }

  #failed(problem: H2cProblem): void {
    this.#cancelConnecting = undefined;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter(err(problem));
  }

  #leave(connection: Http2ClientConnection): void {
    this.#usable = this.#usable.filter((other) => other !== connection);
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    for (const connection of this.#usable.slice(1)) if (connection.streamCount === 0) connection.drain();
    if (this.#usable.length > 1) this.#cancelSweep = this.#clock.after(SPARE_MS, () => this.#sweep());
  }
}
