// What a sidecar is made of and how it is joined: edges to ways, ways to stages. Nothing listens here.
import { DEFAULT_HOPS_MAX } from '../api/hops.ts';
import type { Identity } from '../api/ids.ts';
import { type IdentitySource, startIdentity } from '../identity/source.ts';
import type { Credentials } from '../identity/svid.ts';
import type { Random } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { METRICS_CONTENT_TYPE } from '../kit/metrics.ts';
import { err, ok } from '../kit/result.ts';
import type { Snapshot } from '../kit/snapshot.ts';
import { openAccess } from './access.ts';
import { callLog, observers } from './admin/call-log.ts';
import { type CallMetrics, callMetrics } from './admin/call-metrics.ts';
import { appApi } from './app-api.ts';
import { type Grounds, grounds } from './authorize/grounds.ts';
import type { HealthState } from './blocks/health.ts';
import type { ShutdownSwitch } from './blocks/shutdown.ts';
import type { SidecarConfig } from './config.ts';
import { AppGrpc } from './edge/app-grpc.ts';
import { AppHttp } from './edge/app-http.ts';
import { PageHttp } from './edge/page-http.ts';
import { PeerEdge } from './edge/peer.ts';
import type { LookUp } from './external/connect.ts';
import { rulesFromFeed } from './external/from-feed.ts';
import { NOTHING_OUTSIDE, Outside } from './external/outside.ts';
import type { FeedClient } from './feed/feed.ts';
import { ownIdentity } from './identify/own.ts';
import { trusting } from './identify/trusting.ts';
import { openLimits } from './inbound-limits.ts';
import type { Servings } from './listeners.ts';
import { forwardedBy } from './machine.ts';
import { type OwnApp, ownApp } from './own-app.ts';
import type { Attempt } from './resilience/attempts.ts';
import { openResiliency } from './resiliency.ts';
import type { Names } from './resolve/resolver.ts';
import { openExternal } from './transport/external.ts';
import { openExternalGrpc } from './transport/external-grpc.ts';
import { openPeer, type PeerTransportDeps } from './transport/peer.ts';
import { openPeerGrpc } from './transport/peer-grpc.ts';
import { forwardedHeaders } from './transport/peer-head.ts';
import { PeerPool } from './transport/peer-pool.ts';
import { openPeerTunnel } from './transport/peer-tunnel.ts';
import type { ExternalStages } from './way/external.ts';
import { Flights } from './way/flights.ts';
import { inboundWay } from './way/inbound.ts';
import { outboundWay } from './way/outbound.ts';

export interface SidecarDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly names: Names;
  /** Where there is an operator: opens its feed, with what the sidecar proves itself by. */
  readonly openFeed?: (credentials: Snapshot<Credentials | undefined>) => FeedClient;
  readonly version: string;
  /** How names outside of the mesh become addresses; by default as the system would have it. */
  readonly lookUp?: LookUp;
}

export interface SidecarParts {
  readonly self: Identity;
  readonly identity: IdentitySource;
  /** Undefined where there is no operator. */
  readonly feed: FeedClient | undefined;
  /** What peers are met with. */
  readonly credentials: Snapshot<Credentials | undefined>;
  readonly flights: Flights;
  readonly metrics: CallMetrics;
  readonly app: OwnApp;
  readonly outside: Outside;
  readonly pool: PeerPool;
  readonly peers: PeerEdge;
  readonly servings: Servings;
}

const IN_A_CLUSTER =
  'An address that another pod was given just now heals by itself: try again. If it stays so, the pods there have the ' +
  'label of the app and another identity, or another certificate authority.';

export function joinParts(
  config: SidecarConfig,
  deps: SidecarDeps,
  health: HealthState,
  shutdown: ShutdownSwitch,
): SidecarParts {
  const { clock, random, log, version } = deps;
  const { appId, namespace, trustDomain, bodyBytesMax, statuses, upgradeProtocols = [] } = config;
  const { hopsMax = DEFAULT_HOPS_MAX } = config;
  const self: Identity = { app: appId, namespace, trustDomain };
  const identity = startIdentity({ endpoint: config.sentry, appId, namespace, trustDomain, clock, random, log });
  const feed = deps.openFeed?.(identity.credentials);
  if (feed !== undefined) deps.names.follow?.(feed);
  const credentials = trusting(identity.credentials, feed?.config);
  const metrics = callMetrics(version);
  const flights = new Flights(clock, observers(metrics, callLog(log)));
  const advice = feed === undefined ? {} : { untrustedAdvice: IN_A_CLUSTER };
  const pool = new PeerPool({ credentials: () => credentials.current(), trustDomain, clock, random, log, ...advice });

  const app = ownApp(config.app, bodyBytesMax, { clock, log, metrics });
  const outside = openOutside(config, deps, feed);
  const ground = grounds(feed);
  const authorizer = openAccess(config, { self, feed, flights, metrics, log, clock });
  const resiliency = openResiliency(config, { self, feed, clock, random, log });
  const limits = openLimits(resiliency.inbound, { clock, random, metrics, flights });
  const inbound = inboundWay({ flights, grounds: ground, authorizer, limits, transport: { app: app.open } });

  const link = { clock, forwarded: forwardedHeaders(forwardedBy(config.peerListenAddress)) };
  const outbound = outboundWay({
    flights,
    own: ownIdentity(identity),
    authorizer,
    resolver: deps.names,
    resilience: { clock, random, targets: resiliency.targets },
    transport: { peer: peerTransport(pool, link) },
    external: externalStages(outside, ground, clock),
    inbound,
  });

  const peers = new PeerEdge({ open: inbound, self, bodyBytesMax, upgradeProtocols, clock, random, log });
  const countOffence = (rule: string) => metrics.httpOffence(rule);
  const calls = { open: outbound, outside: outside.rules, self, bodyBytesMax, hopsMax, statuses, clock, random };
  const served = { ...calls, version, health, appHealth: app.health, shutdown, resiliency };
  const { probes, ...api } = appApi(config, served);
  const edge = { ...calls, ...api, log, upgradeProtocols, rules: config, countOffence };
  const metricsText = { contentType: METRICS_CONTENT_TYPE, status: 200 };
  const servings: Servings = {
    http: new AppHttp(edge),
    grpc: new AppGrpc(edge),
    peer: { server: () => peers.server, drain: () => peers.drain(), destroy: () => peers.destroy() },
    public: new PageHttp({ ...probes, ...app.probePages }, clock),
    metrics: new PageHttp(
      { '/metrics': () => ({ ...metricsText, body: metrics.render() + resiliency.metrics() }) },
      clock,
    ),
  };
  return { self, identity, feed, credentials, flights, metrics, app, outside, pool, peers, servings };
}

function peerTransport(pool: PeerPool, link: PeerTransportDeps): Attempt {
  return (call, endpoint, reply) => {
    const connection = pool.connection(endpoint, call.target);
    if (call.kind === 'grpc') return openPeerGrpc(call, connection, reply, link.clock);
    if (call.kind === 'tunnel') return openPeerTunnel(call, connection, reply, link);
    return openPeer(call, connection, reply, link);
  };
}

function openOutside(
  { outside = NOTHING_OUTSIDE }: SidecarConfig,
  deps: SidecarDeps,
  feed: FeedClient | undefined,
): Outside {
  const rules = feed === undefined ? outside.rules : rulesFromFeed(feed.config, deps.log);
  return new Outside({ ...outside, rules }, deps);
}

function externalStages(outside: Outside, ground: Grounds, clock: Clock): ExternalStages {
  return {
    rules: () => {
      const groundless = ground.problem();
      return groundless === undefined ? ok(outside.rules.current()) : err(groundless);
    },
    transport: (call, reply) =>
      call.isGrpc ? openExternalGrpc(call, reply, outside, clock) : openExternal(call, reply, outside),
  };
}
