// Connections to one place that speaks HTTP/1.1, kept for a moment between calls: to the app, or to an outside service.
//
//   connecting ──▶ idle ◀──▶ in use ──▶ leaving ──▶ closed
//
// A kept connection is a race: the server may close it just as the next call is written, and nobody can tell whether it
// saw that call. So it idles for less time than servers' own patience, or for what the server announced in Keep-Alive less
// a second; and one that the server was seen to close is not used.
import type { Socket } from 'node:net';
import { HEAD_LIMITS } from '../../api/headers.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Result } from '../../kit/result.ts';
import { type Http1ClientConnection, type Http1ClientOptions, http1Client } from '../../wire/http1/client.ts';
import type { Requester, RequestHead, ResponseReceiver } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';

export interface Http1PoolLimits {
  /** As many as one server can sensibly serve; a further call waits for one of them. */
  readonly connectionsMax: number;
  readonly idleMax: number;
  readonly idleMsMax: number;
}

/** Where connections come from. `Why` is what is said where there is none. */
export interface Http1Connector<Why> {
  /** Of the server, as a Host header has it. */
  readonly authority: string;
  /** Calls `done` once, in a later turn, unless it is cancelled. */
  connect(done: (connected: Result<Socket, Why>) => void): Cancel;
  /** What those hear who wait as the pool is closed. */
  readonly closing: Why;
}

/** By so much we are to be earlier than the server. */
const KEEP_ALIVE_MARGIN_MS = 1000;
/** What we have ended the server ends too, or it is broken off. */
export const LEAVING_MS_MAX = 1000;

/** Waits for a connection. */
export interface Http1Waiter<Why> {
  /** To be used before this returns, and released afterwards; or not to be used at all. */
  connected(connection: Http1Connection): void;
  /** The server takes no connection. */
  unreachable(why: Why): void;
}

/** A connection that carries one call at a time. */
export class Http1Connection {
  readonly #socket: Socket;
  readonly #client: Http1ClientConnection;
  readonly #idleMsMax: number;
  /** When it is to go: as an idle one, or as one that is leaving. */
  dueMs = 0;

  constructor(socket: Socket, options: Http1ClientOptions, idleMsMax: number) {
    // What waits for an answer keeps the process alive; the connection to the server need not, idle or not.
    socket.unref();
    this.#socket = socket;
    this.#idleMsMax = idleMsMax;
    this.#client = http1Client(socketLink(socket), options);
  }

  /** False also from the moment that the server is seen to have closed it. */
  get isIdle(): boolean {
    return this.#client.isIdle;
  }

  get idleSinceMs(): number {
    return this.#client.idleSinceMs;
  }

  /** For how long it may idle. Zero or less: not at all, as when the server has left some of its last request unread. */
  get keptMs(): number {
    if (this.#socket.writableLength > 0) return 0;
    const { keepAliveTimeoutMs = Number.POSITIVE_INFINITY } = this.#client;
    return Math.min(this.#idleMsMax, keepAliveTimeoutMs - KEEP_ALIVE_MARGIN_MS);
  }

  request(head: RequestHead, receiver: ResponseReceiver): Requester {
    return this.#client.request(head, receiver);
  }

  drain(): void {
    this.#client.drain();
  }

  destroy(): void {
    this.#client.destroy();
  }
}

export class Http1Pool<Why> {
  /** Where the server is, as a Host header has it. */
  readonly authority: string;
  readonly #connector: Http1Connector<Why>;
  readonly #clock: Clock;
  readonly #limits: Http1PoolLimits;
  readonly #elapsedMs: () => number;
  readonly #connecting = new Set<Cancel>();
  /** All that were made and are not closed. */
  readonly #connections = new Set<Http1Connection>();
  /** The one that was used last is used first: the others may come to their end. */
  #idle: Http1Connection[] = [];
  readonly #leaving = new Set<Http1Connection>();
  /** In the order in which they came. */
  readonly #waiters = new Set<Http1Waiter<Why>>();
  /** Undefined where nothing is idle or leaving: a sidecar without calls is not woken. */
  #cancelSweep: Cancel | undefined;

  constructor(connector: Http1Connector<Why>, clock: Clock, limits: Http1PoolLimits) {
    this.authority = connector.authority;
    this.#connector = connector;
    this.#clock = clock;
    this.#limits = limits;
    this.#elapsedMs = () => clock.elapsed();
  }

  /** A connection to be used at once and released afterwards. Undefined: there is one only for those who wait. */
  take(): Http1Connection | undefined {
    for (let last = this.#idle.pop(); last !== undefined; last = this.#idle.pop()) {
      if (last.isIdle && this.#clock.elapsed() < last.dueMs) return last;
      this.#letGo(last);
    }
    return undefined;
  }

  /** Takes back what was taken, once its exchange is over, however that ended. */
  release(connection: Http1Connection): void {
    if (connection.isIdle && connection.keptMs > 0) this.#offer(connection);
    else this.#letGo(connection);
  }

  /** One of the waiter's methods is called once, in a later turn, unless it leaves first. */
  wait(waiter: Http1Waiter<Why>): void {
    this.#waiters.add(waiter);
    this.#connectMore();
  }

  leave(waiter: Http1Waiter<Why>): void {
    this.#waiters.delete(waiter);
  }

  /** Nobody uses it, nobody waits, nothing is open. */
  get isEmpty(): boolean {
    return this.#connections.size === 0 && this.#connecting.size === 0 && this.#waiters.size === 0;
  }

  /** Nobody is to take anything from now on: what is idle goes. Who waits still gets a connection. */
  retire(): void {
    for (const connection of this.#idle.splice(0)) this.#letGo(connection);
  }

  /** Breaks off everything. */
  destroy(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.unreachable(this.#connector.closing);
    for (const cancel of this.#connecting) cancel();
    for (const connection of this.#connections) connection.destroy();
  }

  /** As many as there are calls that wait, within the bound. Which call gets which connection is open until one is there. */
  #connectMore(): void {
    const room = this.#limits.connectionsMax - this.#connections.size;
    while (this.#connecting.size < Math.min(this.#waiters.size, room)) this.#connect();
  }

  #connect(): void {
    const cancel = this.#connector.connect((connected) => {
      this.#connecting.delete(cancel);
      if (connected.ok) this.#offer(this.#opened(connected.value));
      else this.#failed(connected.error);
    });
    this.#connecting.add(cancel);
  }

  #opened(socket: Socket): Http1Connection {
    const options = {
      elapsedMs: this.#elapsedMs,
      limits: HEAD_LIMITS,
      closed: () => this.#closed(connection),
    };
    const connection = new Http1Connection(socket, options, this.#limits.idleMsMax);
    this.#connections.add(connection);
    return connection;
  }

  #failed(why: Why): void {
    // The others have theirs still coming.
    if (this.#waiters.size > this.#connecting.size) {
      const [longest] = this.#waiters;
      if (longest !== undefined) {
        this.#waiters.delete(longest);
        longest.unreachable(why);
      }
    }
    this.#connectMore();
  }

  /** To whoever has waited longest. A call that cannot be written leaves it to the next. */
  #offer(connection: Http1Connection): void {
    if (this.#waiters.size > 0 && this.#isTaken(connection)) return;
    this.#keep(connection);
  }

  #isTaken(connection: Http1Connection): boolean {
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      waiter.connected(connection);
      if (!connection.isIdle) return true;
    }
    return false;
  }

  #keep(connection: Http1Connection): void {
    if (this.#idle.length >= this.#limits.idleMax) {
      this.#letGo(connection);
      return;
    }
    connection.dueMs = connection.idleSinceMs + connection.keptMs;
    this.#idle.push(connection);
    this.#sweepBy(connection.dueMs);
  }

  #letGo(connection: Http1Connection): void {
    connection.drain();
    connection.dueMs = this.#clock.elapsed() + LEAVING_MS_MAX;
    this.#leaving.add(connection);
    this.#sweepBy(connection.dueMs);
  }

  #closed(connection: Http1Connection): void {
    this.#connections.delete(connection);
    this.#leaving.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#connections.size === 0) {
      this.#cancelSweep?.();
      this.#cancelSweep = undefined;
    }
    this.#connectMore();
  }

  /** One timer for all, and none per call: where it is set already, it comes soon enough. */
  #sweepBy(dueMs: number): void {
    this.#cancelSweep ??= this.#clock.after(dueMs - this.#clock.elapsed(), () => this.#sweep());
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const nowMs = this.#clock.elapsed();
    for (const connection of this.#leaving) {
      if (connection.dueMs > nowMs) continue;
      this.#leaving.delete(connection);
      connection.destroy();
    }
    const expired = this.#idle.filter(({ dueMs }) => dueMs <= nowMs);
    this.#idle = this.#idle.filter(({ dueMs }) => dueMs > nowMs);
    const dues = [...this.#idle, ...this.#leaving].map(({ dueMs }) => dueMs);
    if (dues.length > 0) this.#sweepBy(Math.min(...dues));
    for (const connection of expired) this.#letGo(connection);
  }
}
