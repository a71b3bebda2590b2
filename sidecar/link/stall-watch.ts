// Finds out which connections to an app that speaks HTTP/2 have stalled, so that new calls go elsewhere. A process that stands still
// keeps its connections, and TCP knows no better than that all is well.
//
// Who is silent for a whole period while calls are open is pinged, and who says nothing to that either has stalled. Calls that are
// open there are left to it: it may go on (a debugger, a long pause), and how long they are worth waiting for is their callers' to say.
//
// Servers of gRPC take a client that pings often for an attack: more than two pings within five minutes, without an answer of theirs in
// between, and they hang up. So there is one ping in that time.
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Http2ClientConnection } from '../../wire/http2/client.ts';

const PERIOD_MS = 10_000;
const PING_GAP_MS = 310_000;

/** A connection under watch. */
interface Watched {
  readonly connection: Http2ClientConnection;
  /** All that has ever come on it: looked at once in a period, so that a call costs nothing. */
  readonly readBytes: () => number;
  lastReadBytes: number;
  wasBusy: boolean;
  isPinged: boolean;
  /** When there may be another ping. */
  pingableMs: number;
}

export class StallWatch {
  readonly #clock: Clock;
  readonly #stalled: (connection: Http2ClientConnection) => void;
  readonly #watched = new Map<Http2ClientConnection, Watched>();
  /** Undefined where no call is open: a sidecar without calls is not woken. */
  #cancelTick: Cancel | undefined;

  constructor(clock: Clock, stalled: (connection: Http2ClientConnection) => void) {
    this.#clock = clock;
    this.#stalled = stalled;
  }

  add(connection: Http2ClientConnection, readBytes: () => number): void {
    const fresh = { lastReadBytes: readBytes(), wasBusy: false, isPinged: false, pingableMs: 0 };
    this.#watched.set(connection, { connection, readBytes, ...fresh });
  }

  remove(connection: Http2ClientConnection): void {
    this.#watched.delete(connection);
  }

  /** There is a call. */
  wake(): void {
    this.#cancelTick ??= this.#clock.after(PERIOD_MS, () => this.#tick());
  }

  stop(): void {
    this.#cancelTick?.();
    this.#watched.clear();
  }

  #tick(): void {
    this.#cancelTick = undefined;
    for (const watched of this.#watched.values()) this.#look(watched);
    for (const { connection } of this.#watched.values()) if (connection.streamCount > 0) this.wake();
  }

  #look(watched: Watched): void {
    const { connection, lastReadBytes, wasBusy, isPinged } = watched;
    const isBusy = connection.streamCount > 0;
    watched.lastReadBytes = watched.readBytes();
    watched.wasBusy = isBusy;
    watched.isPinged = false;
    if (watched.lastReadBytes !== lastReadBytes || !isBusy || !wasBusy) return;
    if (isPinged) {
      this.#watched.delete(connection);
      this.#stalled(connection);
      return;
    }
    const nowMs = this.#clock.elapsed();
    if (nowMs < watched.pingableMs) return;
    watched.isPinged = true;
    watched.pingableMs = nowMs + PING_GAP_MS;
    connection.ping(() => undefined);
  }
}
