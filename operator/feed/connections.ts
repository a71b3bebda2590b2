// The connections of sidecars: one workload of our trust domain each, until its certificate ends.
import type { TLSSocket } from 'node:tls';
import type { TrustDomain } from '../../api/ids.ts';
import { peerIdentity } from '../../identity/tls.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';

export interface ConnectionsOptions {
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly log: Log;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Set<TLSSocket>();
  #lastGone: () => void = () => undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Whether it may stay; it is closed if not. */
  admit(socket: TLSSocket): boolean {
    const { trustDomain, clock, log } = this.#options;
    const peer = peerIdentity(socket, trustDomain, clock.now());
    if (!peer.ok) {
      log.warn(`feed: a connection is refused: ${peer.error}`, { from: socket.remoteAddress ?? '' });
      socket.destroy();
      return false;
    }
    this.#open.add(socket);
    const cancelEnd = clock.after(peer.value.notAfter - clock.now(), () => socket.destroy());
    socket.once('close', () => {
      cancelEnd();
      this.#open.delete(socket);
      if (this.#open.size === 0) this.#lastGone();
    });
    return true;
  }

  /** Settles when the last one is gone, or after that time. */
  gone(withinMs: number): Promise<void> {
    return new Promise((done) => {
      const cancel = this.#options.clock.after(withinMs, done);
      this.#lastGone = () => {
        cancel();
        done();
      };
      if (this.#open.size === 0) this.#lastGone();
    });
  }
}
