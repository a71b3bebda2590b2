// A port that speaks HTTP/1.1: its servers, one for each listen address, and the connections that are open on them.
import { createServer, type Server, type Socket } from 'node:net';
import { type Cancel, type Clock, every } from '../../kit/clock.ts';
import { http1Server } from '../../wire/http1/server.ts';
import type { Http1ServerConnection, Http1ServerOptions } from '../../wire/http1/server-options.ts';
import type { RequestHead, RequestReceiver, Responder } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';

export interface Http1EdgeOptions
  extends Pick<Http1ServerOptions, 'limits' | 'idleMs' | 'unreadMs' | 'refusal' | 'offence'> {
  readonly clock: Clock;
  /** Of one listen address; further ones are closed as they come. */
  readonly connectionsMax: number;
}

const SWEEP_MS = 1000;

export abstract class Http1Edge {
  readonly #options: Http1EdgeOptions;
  readonly #connections = new Map<Socket, Http1ServerConnection>();
  #isDraining = false;
  /** Runs while there is anything to sweep: an idle sidecar sleeps. */
  #stopSweeping: Cancel | undefined;

  constructor(options: Http1EdgeOptions) {
    this.#options = options;
  }

  /** A server for one listen address; it shares everything with its siblings. */
  server(): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#connected(socket));
    server.maxConnections = this.#options.connectionsMax;
    return server;
  }

  /** Idle connections go at once, others after their answer. */
  drain(): void {
    this.#isDraining = true;
    for (const [socket, connection] of this.#connections) {
      const wasIdle = connection.phase === 'idle';
      connection.drain();
      // A client that does not look at a connection it keeps would not notice its end, and hold up ours.
      if (wasIdle) socket.destroySoon();
    }
  }

  destroy(): void {
    for (const connection of this.#connections.values()) connection.destroy();
  }

  protected abstract serve(head: RequestHead, responder: Responder, connection: Http1ServerConnection): RequestReceiver;

  #connected(socket: Socket): void {
    const { clock, connectionsMax: _, ...options } = this.#options;
    const connection: Http1ServerConnection = http1Server(
      socketLink(socket),
      (head, responder) => this.serve(head, responder, connection),
      { ...options, elapsedMs: () => clock.elapsed(), closed: () => void this.#connections.delete(socket) },
    );
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
