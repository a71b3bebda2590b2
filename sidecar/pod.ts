// A sidecar in a pod: what the webhook has written for it, what is mounted, and the parts that only a pod has. main.ts runs it.
import { isOverTls } from '../api/app-protocol.ts';
import { type Identity, parseAppId } from '../api/ids.ts';
import { GROUP, OPERATOR, PATHS } from '../api/pod.ts';
import {
  APP_CA_VARIABLE,
  type PodSidecar,
  parsePodSidecar,
  SIDECAR_VARIABLE,
  TOKEN_VARIABLES,
} from '../api/pod-sidecar.ts';
import { readCertificates } from '../identity/chain.ts';
import type { Random } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log, LogFormat, LogLevel } from '../kit/log.ts';
import { err, must, ok, type Result } from '../kit/result.ts';
import { type HostPort, parseHostPort } from '../kit/values.ts';
import type { AppConfig, PortSettings, SidecarConfig } from './config.ts';
import { openDrainSwitch } from './drain-switch.ts';
import { NOTHING_OUTSIDE, type OutsideConfig } from './external/outside.ts';
import type { FeedClient, FeedOptions } from './feed/feed.ts';
import { openDnsClient } from './resolve/dns/client.ts';
import { type NameServer, nameServersOf, RESOLV_CONF } from './resolve/dns/resolv-conf.ts';
import { openKubernetes } from './resolve/kubernetes.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';

export interface PodSettings {
  readonly config: SidecarConfig;
  readonly clusterDomain: string;
  readonly feed: Pick<FeedOptions, 'address' | 'operator' | 'self' | 'snapshotFile'>;
  readonly drainFile: string;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
}

export type PodPaths = Readonly<
  Record<'token' | 'trustAnchors' | 'snapshot' | 'drain' | 'endpointSecretsDirectory', string>
>;

/** From the environment, or a sentence that says what is wrong with it. */
export function readPod(
  env: Readonly<Record<string, string | undefined>>,
  paths: PodPaths = PATHS,
): Result<PodSettings> {
  const read = parsePodSidecar(env[SIDECAR_VARIABLE]);
  if (!read.ok) return read;
  const sentry = parseHostPort(read.value.sentryAddress);
  if (!sentry.ok) return err(`${SIDECAR_VARIABLE} cannot be used: sentryAddress: ${sentry.error}`);
  const feed = parseHostPort(read.value.feedAddress);
  if (!feed.ok) return err(`${SIDECAR_VARIABLE} cannot be used: feedAddress: ${feed.error}`);
  const { trustDomain, controlPlaneNamespace, clusterDomain, logLevel, logFormat } = read.value;
  const self: Identity = { trustDomain, namespace: read.value.namespace, app: read.value.appId };
  const operator: Identity = { trustDomain, namespace: controlPlaneNamespace, app: must(parseAppId(OPERATOR)) };
  const tokens = { api: nonEmpty(env[TOKEN_VARIABLES.api]), app: nonEmpty(env[TOKEN_VARIABLES.app]) };
  const app = appOf(read.value, tokens.app, nonEmpty(env[APP_CA_VARIABLE]));
  if (!app.ok) return app;
  return ok({
    config: { ...configOf(read.value, sentry.value, app.value, tokens.api, paths), outside: outsideOf(env, paths) },
    clusterDomain,
    feed: { address: feed.value, operator, self, snapshotFile: paths.snapshot },
    drainFile: paths.drain,
    log: { level: logLevel, format: logFormat },
  });
}

/** Its rules come over the feed. */
function outsideOf(env: Readonly<Record<string, string | undefined>>, paths: PodPaths): OutsideConfig {
  return {
    ...NOTHING_OUTSIDE,
    secretsDirectory: paths.endpointSecretsDirectory,
    secretsAdvice:
      'see whether the namespace has it; what was first named after the pod was made is mounted once the pod is made anew',
    variable: (name) => env[name],
  };
}

function appOf(pod: PodSidecar, token: string | undefined, caPem: string | undefined): Result<AppConfig> {
  const { appPort: port, appHost: host, appProtocol: protocol = 'http' } = pod;
  const tls = { caPem, serverName: pod.appTlsServerName, isUnverified: pod.isAppTlsUnverified };
  const certificates = caPem === undefined ? undefined : readCertificates(caPem);
  if (certificates?.ok === false)
    return err(`the Secret of ${GROUP}/app-tls-ca-secret has no certificates in ca.crt: ${certificates.error}`);
  const { appMaxConcurrency: maxConcurrency, appHealth: health, appProbes: probes } = pod;
  return ok({ port, host, protocol, token, maxConcurrency, health, probes, ...(isOverTls(protocol) && { tls }) });
}

function configOf(
  pod: PodSidecar,
  sentry: HostPort,
  app: AppConfig,
  apiToken: string | undefined,
  paths: PodPaths,
): SidecarConfig {
  const { appId, namespace, trustDomain, gracefulShutdownMs, allowedOrigins, allowedHosts, statuses } = pod;
  return {
    ...{ appId, namespace, trustDomain, gracefulShutdownMs, allowedOrigins, allowedHosts, statuses },
    app,
    apiToken,
    upgradeProtocols: pod.upgradeProtocols ?? [],
    sentry: {
      kind: 'tls',
      ...sentry,
      trustAnchorsFile: paths.trustAnchors,
      tokenFile: paths.token,
      tokenKind: 'kubernetes',
      sentryNamespace: pod.controlPlaneNamespace,
    },
    httpPort: exactly(pod.httpPort),
    grpcPort: exactly(pod.grpcPort),
    publicPort: exactly(pod.publicPort),
    peerPort: exactly(pod.peerPort),
    metricsPort: pod.metricsPort === undefined ? undefined : exactly(pod.metricsPort),
    portSettings: ANNOTATIONS,
    listenAddresses: ['127.0.0.1', '::1'],
    // Prometheus scrapes pods from outside. What it reads names the apps that call each other, and nothing they say.
    metricsListenAddresses: ['0.0.0.0', '::'],
    peerListenAddress: '::',
    bodyBytesMax: pod.bodyBytesMax ?? Number.POSITIVE_INFINITY,
    hopsMax: pod.hopsMax,
  };
}

const ANNOTATIONS: PortSettings = {
  http: `the annotation ${GROUP}/http-port`,
  grpc: `the annotation ${GROUP}/grpc-port`,
  peer: `the annotation ${GROUP}/internal-grpc-port`,
  public: `the annotation ${GROUP}/public-port`,
  metrics: `the annotation ${GROUP}/metrics-port`,
};

function exactly(port: number) {
  return { port, isFlexible: false };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

export interface PodDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly version: string;
  readonly startFeed: (options: FeedOptions) => FeedClient;
  /** Those of /etc/resolv.conf by default. */
  readonly nameServers?: () => readonly NameServer[];
}

/** The sidecar with its names, feed and drain switch, all of which end with it; or a sentence that says why there is none. */
export async function startPod(settings: PodSettings, deps: PodDeps): Promise<Result<Sidecar>> {
  const { clock, random, log, version } = deps;
  const dns = openDnsClient({ servers: deps.nameServers ?? nameServersOf(RESOLV_CONF), clock });
  const names = openKubernetes({ clusterDomain: settings.clusterDomain, dns, clock, random });
  const started = await startSidecar(settings.config, {
    ...{ clock, random, log, names, version },
    openFeed: (credentials) =>
      deps.startFeed({ ...settings.feed, credentials, clock, random, log, sidecarVersion: version }),
  });
  if (!started.ok) {
    names.close();
    return err(started.error.message);
  }
  const sidecar = started.value;
  const drainSwitch = openDrainSwitch(settings.drainFile, () => sidecar.drain(), clock);
  if (!drainSwitch.ok)
    log.warn('there is no drain switch: calls will come until the end of the pod', { reason: drainSwitch.error });
  const closeAll = (code: 0 | 1) => {
    names.close();
    if (drainSwitch.ok) drainSwitch.value();
    return code;
  };
  return ok({ ...sidecar, done: sidecar.done.then(closeAll) });
}
