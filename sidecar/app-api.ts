// What the app API serves beside native calls: each block's routes over HTTP, and its methods over gRPC.
import type { HeldBytes } from '../kit/held-bytes.ts';
import type { Pages } from '../kit/pages.ts';
import { appConnection } from './app/connection-properties.ts';
import type { AppHealth } from './app/health.ts';
import { healthMethods } from './blocks/grpc-health.ts';
import { type HealthState, healthPages, healthRoutes } from './blocks/health.ts';
import { Metadata, metadataMethods, metadataRoutes } from './blocks/metadata.ts';
import { reflectionMethods } from './blocks/reflection.ts';
import { type ShutdownSwitch, shutdownMethods, shutdownRoutes } from './blocks/shutdown.ts';
import type { SidecarConfig } from './config.ts';
import { GrpcMethods } from './edge/grpc-methods.ts';
import { type InvokeServiceDeps, invokeService } from './edge/invoke-service.ts';
import type { Route } from './edge/routes.ts';
import { wholeBodies } from './link/whole-bodies.ts';
import type { Resiliency } from './resiliency.ts';

export interface AppApi {
  readonly probes: Pages;
  readonly routes: readonly Route[];
  readonly methods: GrpcMethods;
  /** By calls of those methods. */
  readonly held: HeldBytes;
}

export interface AppApiDeps extends Omit<InvokeServiceDeps, 'held'> {
  readonly version: string;
  /** Of the app: undefined where nobody asks it. */
  readonly appHealth: AppHealth | undefined;
  readonly health: HealthState;
  readonly shutdown: ShutdownSwitch;
  readonly resiliency: Pick<Resiliency, 'names' | 'state'>;
}

export function appApi({ appId, app, notices }: SidecarConfig, deps: AppApiDeps): AppApi {
  const { version, health, shutdown, statuses, clock } = deps;
  const bodies = wholeBodies(deps.bodyBytesMax);
  const isAppHealthy = () => deps.appHealth && deps.appHealth.state.current().kind === 'healthy';
  const connection = () => appConnection(app, isAppHealthy());
  const endpoints = () => [...deps.outside.current().endpoints.keys()];
  const metadata = new Metadata(appId, version, {
    app: connection,
    endpoints,
    resiliencies: () => deps.resiliency.names(),
    resilience: () => deps.resiliency.state(),
    ...(notices && { notices }),
  });
  const probes = healthPages(health, appId, statuses);
  const methods: GrpcMethods = new GrpcMethods([
    invokeService({ ...deps, ...bodies }),
    ...metadataMethods(metadata),
    ...shutdownMethods(shutdown),
    ...healthMethods(health, (service) => methods.services.includes(service), clock),
    ...reflectionMethods(() => methods.services),
  ]);
  return {
    probes,
    routes: [...healthRoutes(probes), ...metadataRoutes(metadata), ...shutdownRoutes(shutdown)],
    methods,
    held: bodies.held,
  };
}
