// Connections to the app for tunnels: one for each, fresh, and of no use to anybody afterwards. How long one is silent does
// not matter; the kernel finds out when the far side is gone.
import type { Socket } from 'node:net';
import { HEAD_LIMITS } from '../../api/headers.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type Http1ClientConnection, http1Client } from '../../wire/http1/client.ts';
import { socketLink } from '../../wire/socket-link.ts';
import { LEAVING_MS_MAX } from '../link/http1-pool.ts';
import { authority } from './address.ts';
import { type AppAddress, type ConnectProblem, connectToApp } from './connect.ts';

/** As many as programs hold open that were made to hold many. */
const TUNNELS_MAX = 10_000;
const KEEP_ALIVE_MS = 60_000;

export class AppTunnels {
  /** As a Host header has it. */
  readonly authority: string;
  readonly port: number;
  readonly #address: AppAddress;
  readonly #clock: Clock;
  readonly #tunnelsMax: number;
  readonly #connecting = new Set<Cancel>();
  readonly #open = new Set<Http1ClientConnection>();

  constructor(address: AppAddress, clock: Clock, tunnelsMax = TUNNELS_MAX) {
    this.authority = authority(address.host, address.port);
    this.port = address.port;
    this.#address = address;
    this.#clock = clock;
    this.#tunnelsMax = tunnelsMax;
  }

  /** Undefined where there are too many already; else `use` is called once, in a later turn, unless it is cancelled. */
  connect(use: (connected: Result<Http1ClientConnection, ConnectProblem>) => void): Cancel | undefined {
    if (this.#connecting.size + this.#open.size >= this.#tunnelsMax) return undefined;
    let isWanted = true;
    const cancel = connectToApp(this.#address, this.#clock, (connected) => {
      this.#connecting.delete(cancel);
      if (isWanted) use(connected.ok ? ok(this.#opened(connected.value)) : err(connected.error));
      else if (connected.ok) connected.value.destroy();
    });
    this.#connecting.add(cancel);
    return () => {
      isWanted = false;
      cancel();
    };
  }

  /** Takes leave of a connection whose request was answered otherwise. */
  leave(connection: Http1ClientConnection): void {
    connection.drain();
    if (this.#open.has(connection)) this.#clock.after(LEAVING_MS_MAX, () => connection.destroy());
  }

  /** Breaks off everything. */
  destroy(): void {
    for (const cancel of this.#connecting) cancel();
    for (const connection of this.#open) connection.destroy();
  }

  #opened(socket: Socket): Http1ClientConnection {
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const connection: Http1ClientConnection = http1Client(socketLink(socket), {
      elapsedMs: () => this.#clock.elapsed(),
      limits: HEAD_LIMITS,
      closed: () => void this.#open.delete(connection),
    });
    this.#open.add(connection);
    return connection;
  }
}
