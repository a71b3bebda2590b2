// The connections to an app that speaks HTTP/2, over TLS or without (h2c). The first stays: an app is called again.
import type { Clock } from '../../kit/clock.ts';
import { Http2Pool, type Http2PoolLimits, type Http2Problem } from '../link/http2-pool.ts';
import { authority } from './address.ts';
import { type AppAddress, type ConnectProblem, connectToApp } from './connect.ts';

export type AppHttp2Problem = Http2Problem<ConnectProblem>;

const LIMITS: Http2PoolLimits = { connectionsMax: 64, openMax: 1024, idleMax: 1 };
const CLOSING: ConnectProblem = { kind: 'no-connection', cause: 'this sidecar is stopping' };

export class AppHttp2Pool extends Http2Pool<ConnectProblem> {
  readonly port: number;

  constructor(address: AppAddress, clock: Clock) {
    const connector = {
      authority: authority(address.host, address.port),
      scheme: address.tls === undefined ? 'http' : 'https',
      connect: (done: Parameters<typeof connectToApp>[2]) => connectToApp(address, clock, done),
      closing: CLOSING,
    } as const;
    super(connector, clock, LIMITS);
    this.port = address.port;
  }
}
