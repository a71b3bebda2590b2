// Every port of a sidecar, bound in one go and closed in one go.
import type { Server } from 'node:net';
import type { Clock } from '../kit/clock.ts';
import { ok, type Result } from '../kit/result.ts';
import { type BindRequest, type Bound, bind, type StartFailure } from './bind.ts';
import type { PortSettings, SidecarConfig } from './config.ts';

export interface SidecarPorts {
  readonly http: number;
  readonly grpc: number | undefined;
  readonly peer: number;
  readonly metrics: number | undefined;
  readonly public: number | undefined;
}

/** What serves a port: a server for each address that the port is bound on, and the end of what is open on them. */
export interface Serving {
  server(): Server;
  /** No new work: idle connections go at once, busy ones after their answer. */
  drain(): void;
  /** Whatever is still open goes now. */
  destroy(): void;
}

export type Servings = Readonly<Record<keyof SidecarPorts, Serving>>;

export interface Listeners {
  readonly ports: SidecarPorts;
  /** No new connections; idle ones close, busy ones after their answer or when time is up. */
  close(graceMs: number, clock: Clock): Promise<void>;
}

export async function openListeners(
  config: SidecarConfig,
  servings: Servings,
): Promise<Result<Listeners, StartFailure>> {
  const servers: Server[] = [];
  const open = async (request: BindRequest): Promise<Result<number, StartFailure>> => {
    const bound: Result<Bound, StartFailure> = await bind(request);
    if (!bound.ok) return bound;
    servers.push(...bound.value.servers);
    return ok(bound.value.port);
  };
  const opened = await openAll(config, servings, open);
  if (!opened.ok) {
    for (const server of servers) server.close();
    return opened;
  }
  return ok({ ports: opened.value, close: (graceMs, clock) => closeAll(servers, servings, graceMs, clock) });
}

const FLAGS: PortSettings = {
  http: '--http-port',
  grpc: '--grpc-port',
  peer: '--peer-port',
  public: '--public-port',
  metrics: '--metrics-port',
};

async function openAll(
  config: SidecarConfig,
  servings: Servings,
  open: (request: BindRequest) => Promise<Result<number, StartFailure>>,
): Promise<Result<SidecarPorts, StartFailure>> {
  const { httpPort, grpcPort, metricsPort, publicPort, peerPort, listenAddresses, peerListenAddress } = config;
  const settings = config.portSettings ?? FLAGS;
  const own = { addresses: listenAddresses };
  const http = await open({
    ...own,
    what: 'the app API',
    setting: settings.http,
    choice: httpPort,
    server: () => servings.http.server(),
  });
  if (!http.ok) return http;
  const grpc =
    grpcPort &&
    (await open({
      ...own,
      what: 'the app API over gRPC',
      setting: settings.grpc,
      choice: grpcPort,
      server: () => servings.grpc.server(),
    }));
  if (grpc && !grpc.ok) return grpc;
  const peer = await open({
    addresses: [peerListenAddress],
    what: 'peer sidecars',
    setting: settings.peer,
    choice: peerPort,
    server: () => servings.peer.server(),
  });
  if (!peer.ok) return peer;
  const metrics =
    metricsPort &&
    (await open({
      addresses: config.metricsListenAddresses ?? listenAddresses,
      what: 'metrics',
      setting: settings.metrics,
      choice: metricsPort,
      server: () => servings.metrics.server(),
    }));
  if (metrics && !metrics.ok) return metrics;
  const health =
    publicPort &&
    (await open({
      addresses: ['0.0.0.0', '::'],
      what: 'health probes',
      setting: settings.public,
      choice: publicPort,
      server: () => servings.public.server(),
    }));
  if (health && !health.ok) return health;
  return ok({ http: http.value, grpc: grpc?.value, peer: peer.value, metrics: metrics?.value, public: health?.value });
}

async function closeAll(servers: readonly Server[], servings: Servings, graceMs: number, clock: Clock): Promise<void> {
  const all = Object.values(servings);
  const closed = servers.map((server) => new Promise<void>((done) => server.close(() => done())));
  for (const serving of all) serving.drain();
  const cancel = clock.after(graceMs, () => {
    for (const serving of all) serving.destroy();
  });
  await Promise.all(closed);
  cancel();
}
