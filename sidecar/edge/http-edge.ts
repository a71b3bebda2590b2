// A port that speaks HTTP: its servers, one for each listen address, and the connections that are open on them.
import { createServer, type Server, type Socket } from 'node:net';
import { type Cancel, every } from '../../kit/clock.ts';
import { type HttpServerConnection, type HttpServerOptions, httpServer, type ServeOn } from '../../wire/http-server.ts';
import type { RequestHead, RequestReceiver, Responder } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';

export interface HttpEdgeOptions
  extends Pick<HttpServerOptions, 'clock' | 'http2' | 'limits' | 'idleMs' | 'unreadMs' | 'refusal' | 'offence'> {
  /** Of one listen address; further ones are closed as they come. */
  readonly connectionsMax: number;
}

const SWEEP_MS = 1000;
/** Of what waits without a bound, a tunnel say, somebody has to find out that the far side has vanished. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 60_000 };

export abstract class HttpEdge {
  readonly #options: HttpEdgeOptions;
  readonly #connections = new Map<Socket, HttpServerConnection>();
  readonly #serve: ServeOn = (head, responder, connection) => this.serve(head, responder, connection);
  #isDraining = false;
  /** Runs while there is anything to sweep: an idle sidecar sleeps. */
  #stopSweeping: Cancel | undefined;

  constructor(options: HttpEdgeOptions) {
    this.#options = options;
  }

  /** A server for one listen address; it shares everything with its siblings. */
  server(): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true, ...KEEP_ALIVE }, (socket) =>
      this.#connected(socket),
    );
    server.maxConnections = this.#options.connectionsMax;
    return server;
  }

  /** Idle connections go at once, others after their answer. */
  drain(): void {
    this.#isDraining = true;
    for (const [socket, connection] of this.#connections) {
      const { isIdle, protocol } = connection;
      connection.drain();
      // A client that does not look at a connection it keeps would not notice its end, and hold up ours. One of HTTP/2 has
      // to be asked first, since a request of its may be on the way.
      if (isIdle && protocol === 'http/1.1') socket.destroySoon();
    }
  }

  destroy(): void {
    for (const connection of this.#connections.values()) connection.destroy();
  }

  protected abstract serve(head: RequestHead, responder: Responder, connection: HttpServerConnection): RequestReceiver;

  #connected(socket: Socket): void {
    const { clock, connectionsMax: _, ...options } = this.#options;
    const closed = () => void this.#connections.delete(socket);
    const connection = httpServer(socketLink(socket), this.#serve, { ...options, clock, closed });
    this.#connections.set(socket, connection);
    if (this.#isDraining) connection.drain();
    else this.#stopSweeping ??= every(clock, SWEEP_MS, this.#sweep);
  }

  readonly #sweep = (): void => {
    const nowMs = this.#options.clock.elapsed();
    for (const connection of this.#connections.values()) connection.sweep(nowMs);
    if (this.#connections.size > 0) return;
    this.#stopSweeping?.();
    this.#stopSweeping = undefined;
  };
}
