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

/** Of one address: a pod, or a whole node's pods where their addresses are hidden behind the node's. */
export const PER_ADDRESS_MAX = 512;

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #perAddress = new Map<string, Set<TLSSocket>>();
  #lastGone: () => void = () => undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Whether it may stay; it is closed if not. */
  admit(socket: TLSSocket): boolean {
    const { trustDomain, clock, log } = this.#options;
    const from = socket.remoteAddress ?? '';
    const peer = peerIdentity(socket, trustDomain, clock.now());
    const others = this.#perAddress.get(from) ?? new Set();
    if (!peer.ok || others.size >= PER_ADDRESS_MAX) {
      const why = peer.ok ? `${from} has ${PER_ADDRESS_MAX} connections already` : peer.error;
      log.warn(`feed: a connection is refused: ${why}`, { from });
      socket.destroy();
      return false;
    }
    this.#perAddress.set(from, others.add(socket));
    const cancelEnd = clock.after(peer.value.notAfter - clock.now(), () => socket.destroy());
    socket.once('close', () => {
      cancelEnd();
      this.#remove(from, socket);
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
      if (this.#perAddress.size === 0) this.#lastGone();
    });
  }

  #remove(from: string, socket: TLSSocket): void {
    const others = this.#perAddress.get(from);
    others?.delete(socket);
    if (others?.size === 0) this.#perAddress.delete(from);
    if (this.#perAddress.size === 0) this.#lastGone();
  }
}
