// The connections to an app that speaks HTTP/1.1.
//
// They idle for a second at most, which is less than any server's own patience: an app is near, and a new connection to it is
// cheap.
import type { Clock } from '../../kit/clock.ts';
import { type Http1Connection, Http1Pool, type Http1PoolLimits, type Http1Waiter } from '../link/http1-pool.ts';
import { authority } from './address.ts';
import { type AppAddress, connectToApp } from './connect.ts';

export type AppConnection = Http1Connection;
export type AppWaiter = Http1Waiter<string>;

const LIMITS: Http1PoolLimits = { connectionsMax: 1024, idleMax: 64, idleMsMax: 1000 };

export class AppPool extends Http1Pool<string> {
  readonly port: number;

  constructor(address: AppAddress, clock: Clock, limits: Partial<Http1PoolLimits> = {}) {
    const connector = {
      authority: authority(address.host, address.port),
      connect: (done: Parameters<typeof connectToApp>[2]) => connectToApp(address, clock, done),
      closing: 'this sidecar is stopping',
    };
    super(connector, clock, { ...LIMITS, ...limits });
    this.port = address.port;
  }
}
