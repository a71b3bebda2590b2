// The connections to an app that speaks HTTP/1.1, over TLS or without.
//
// They idle for a second at most, which is less than any server's own patience: an app is near, and a new connection to it is
// cheap.
import type { Clock } from '../../kit/clock.ts';
import { type Http1Connection, Http1Pool, type Http1PoolLimits, type Http1Waiter } from '../link/http1-pool.ts';
import { authority } from './address.ts';
import { type AppAddress, type ConnectProblem, connectToApp } from './connect.ts';

export type AppConnection = Http1Connection;
export type AppWaiter = Http1Waiter<ConnectProblem>;

const LIMITS: Http1PoolLimits = { connectionsMax: 1024, idleMax: 64, idleMsMax: 1000 };
const CLOSING: ConnectProblem = { kind: 'no-connection', cause: 'this sidecar is stopping' };

export class AppPool extends Http1Pool<ConnectProblem> {
  readonly port: number;
  readonly scheme: 'http' | 'https';
  #hasAnswered = false;

  constructor(address: AppAddress, clock: Clock, limits: Partial<Http1PoolLimits> = {}) {
    const connector = {
      authority: authority(address.host, address.port),
      connect: (done: Parameters<typeof connectToApp>[2]) => connectToApp(address, clock, done),
      closing: CLOSING,
    };
    super(connector, clock, { ...LIMITS, ...limits });
    this.port = address.port;
    this.scheme = address.tls === undefined ? 'http' : 'https';
  }

  /** Whether the app has ever answered as HTTP/1.1 does. Until then it may be that it speaks something else. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  override release(connection: AppConnection): void {
    if (connection.isIdle) this.#hasAnswered = true;
    super.release(connection);
  }
}
