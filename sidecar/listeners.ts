// Every port of a sidecar, bound in one go and closed in one go.
import { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';
import type { Clock } from '../kit/clock.ts';
import { ok, type Result } from '../kit/result.ts';
import { type BindRequest, type Bound, bind, type StartFailure } from './bind.ts';
import type { PortSettings, SidecarConfig } from './config.ts';

export interface SidecarPorts {
  readonly http: number;
  readonly peer: number;
  readonly metrics: number | undefined;
  readonly public: number | undefined;
}

/** A server for one listen address, of each kind. */
export interface ServerMakers {
  readonly http: () => HttpServer;
  readonly metrics: () => HttpServer;
  readonly public: () => HttpServer;
  readonly peer: Server;
}

export interface Listeners {
  readonly ports: SidecarPorts;
  /** No new connections; idle ones close, busy ones after their answer or when time is up. */
  close(graceMs: number, clock: Clock): Promise<void>;
}

export async function openListeners(
  config: SidecarConfig,
  make: ServerMakers,
): Promise<Result<Listeners, StartFailure>> {
  const servers: Server[] = [];
  const open = async (request: BindRequest): Promise<Result<number, StartFailure>> => {
    const bound: Result<Bound, StartFailure> = await bind(request);
    if (!bound.ok) return bound;
    servers.push(...bound.value.servers);
    return ok(bound.value.port);
  };
  const opened = await openAll(config, make, open);
  if (!opened.ok) {
    for (const server of servers) server.close();
    return opened;
  }
  return ok({ ports: opened.value, close: (graceMs, clock) => closeAll(servers, graceMs, clock) });
}

const FLAGS: PortSettings = {
  http: '--http-port',
  peer: '--peer-port',
  public: '--public-port',
  metrics: '--metrics-port',
};

async function openAll(
  config: SidecarConfig,
  make: ServerMakers,
  open: (request: BindRequest) => Promise<Result<number, StartFailure>>,
): Promise<Result<SidecarPorts, StartFailure>> {
  const { httpPort, metricsPort, publicPort, peerPort, listenAddresses, peerListenAddress } = config;
  const settings = config.portSettings ?? FLAGS;
  const own = { addresses: listenAddresses };
  const http = await open({ ...own, what: 'the app API', setting: settings.http, choice: httpPort, server: make.http });
  if (!http.ok) return http;
  const peer = await open({
    addresses: [peerListenAddress],
    what: 'peer sidecars',
    setting: settings.peer,
    choice: peerPort,
    server: () => make.peer,
  });
  if (!peer.ok) return peer;
  const metrics =
    metricsPort &&
    (await open({
      addresses: config.metricsListenAddresses ?? listenAddresses,
      what: 'metrics',
      setting: settings.metrics,
      choice: metricsPort,
      server: make.metrics,
    }));
  if (metrics && !metrics.ok) return metrics;
  const health =
    publicPort &&
    (await open({
      addresses: ['0.0.0.0', '::'],
      what: 'health probes',
      setting: settings.public,
      choice: publicPort,
      server: make.public,
    }));
  if (health && !health.ok) return health;
  return ok({ http: http.value, peer: peer.value, metrics: metrics?.value, public: health?.value });
}

async function closeAll(servers: readonly Server[], graceMs: number, clock: Clock): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((done) => server.close(() => done())));
  const pages = servers.filter((server) => server instanceof HttpServer);
  for (const server of pages) server.closeIdleConnections();
  const cancel = clock.after(graceMs, () => {
    for (const server of pages) server.closeAllConnections();
  });
  await Promise.all(closed);
  cancel();
}
