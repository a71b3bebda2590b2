// A sentry in the cluster as a whole: health and metrics from the start, certificates once there is an authority whose
// anchors are published.
import { type Credentials, sentryIdentity } from '../identity/svid.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { METRICS_CONTENT_TYPE } from '../kit/metrics.ts';
import { listenForPages } from '../kit/page-server.ts';
import type { Page, Pages } from '../kit/pages.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { Kube } from '../kube/kube.ts';
import { kubernetesValidator } from './attest/kubernetes.ts';
import type { Authority } from './authority/authority.ts';
import { publishedAnchors } from './authority/published.ts';
import { type Replica, startReplica } from './authority/replica.ts';
import { secretStore } from './authority/secret-store.ts';
import { createCa } from './ca.ts';
import type { PodConfig } from './env.ts';
import { listenOnTls } from './listeners.ts';
import { createSentryMetrics, type SentryMetrics } from './metrics.ts';
import { keepOwnCertificate, type OwnCertificate } from './own-certificate.ts';
import { createGrpcServer } from './server.ts';

export interface PodSentryTools {
  readonly kube: Kube;
  /** Whether this replica holds the Lease. */
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** One line for each certificate and each refusal, whatever the level of the log. */
  readonly audit: Log;
}

export interface PodSentry {
  /** As bound; that of the sentry is undefined until it signs. */
  ports(): { readonly sentry: number | undefined; readonly health: number; readonly metrics: number };
  /** Why it is not ready, or undefined. */
  unready(): string | undefined;
  /** Settles when it first signs; with the reason where its port cannot be had. */
  readonly opened: Promise<Result<undefined>>;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** Every address, IPv6 and IPv4: as the platform takes an empty host. */
const ANY_HOST = '';

/** Fails where health or metrics cannot be listened on. Everything else is waited for, and `unready` says what. */
export async function startPodSentry(config: PodConfig, tools: PodSentryTools): Promise<Result<PodSentry>> {
  const { trustDomain, namespace, caSecret, ports } = config;
  const { kube, isLeader, clock, log } = tools;
  const metrics = createSentryMetrics();
  const replica = startReplica({
    store: secretStore({ kube, namespace, name: caSecret, trustDomain }),
    published: publishedAnchors(kube, namespace),
    ...{ isLeader, trustDomain, clock, log },
  });
  const door = openWhenHeld(replica, (authority) => openDoor(config, tools, replica, authority, metrics));
  const unready = () => whyUnready(replica, door);
  const listening = await listenForMany([
    [ports.health, { '/healthz': () => ({ status: 200, body: 'ok\n' }), '/readyz': () => readiness(unready()) }],
    [ports.metrics, { '/metrics': () => scrape(metrics, replica, isLeader()) }],
  ]);
  async function stop(): Promise<void> {
    replica.stop();
    await Promise.all([door.close(), listening.close()]);
  }
  if (listening.failure !== undefined) {
    await stop();
    return err(listening.failure);
  }
  const [health = 0, metricsPort = 0] = listening.ports;
  return ok({
    ports: () => ({ sentry: door.port(), health, metrics: metricsPort }),
    unready,
    opened: door.opened,
    stop,
  });
}

function readiness(reason: string | undefined): Page {
  return reason === undefined ? { status: 200, body: 'ok\n' } : { status: 503, body: `${reason}\n` };
}

function scrape(metrics: SentryMetrics, replica: Replica, isLeader: boolean): Page {
  metrics.authority(replica.state.current());
  metrics.leader(isLeader);
  return { status: 200, contentType: METRICS_CONTENT_TYPE, body: metrics.render() };
}

function whyUnready(replica: Replica, door: Door): string | undefined {
  const state = replica.state.current();
  return state.kind === 'waiting' ? state.reason : door.unopened();
}

/** The way in for those who want certificates. It stays shut until there is something to sign with. */
interface Door {
  port(): number | undefined;
  /** Why it is not open, or undefined. */
  unopened(): string | undefined;
  /** Settles when it is open; with the reason where it cannot be opened, which another try would not change. */
  readonly opened: Promise<Result<undefined>>;
  close(): Promise<void>;
}

function openWhenHeld(replica: Replica, open: (authority: Authority) => Promise<Result<OpenDoor>>): Door {
  const settled = Promise.withResolvers<Result<undefined>>();
  let opening: Promise<Result<OpenDoor>> | undefined;
  let outcome: Result<OpenDoor> = err('its own certificate is not made yet');
  const cancel = replica.state.changed(() => {
    const authority = replica.authority();
    if (!authority || opening) return;
    cancel();
    opening = open(authority).then((opened) => {
      outcome = opened;
      settled.resolve(opened.ok ? ok(undefined) : opened);
      return opened;
    });
  });
  return {
    port: () => (outcome.ok ? outcome.value.port : undefined),
    unopened: () => (outcome.ok ? undefined : outcome.error),
    opened: settled.promise,
    async close() {
      cancel();
      const opened = await opening;
      if (opened?.ok) await opened.value.close();
    },
  };
}

interface OpenDoor {
  readonly port: number;
  close(): Promise<void>;
}

async function openDoor(
  config: PodConfig,
  { kube, clock, log, audit }: PodSentryTools,
  replica: Replica,
  authority: Authority,
  metrics: SentryMetrics,
): Promise<Result<OpenDoor>> {
  const { namespace: controlPlaneNamespace, trustDomain, workloadCertTtlMs, ports } = config;
  const kubernetes = kubernetesValidator({ kube, trustDomain, controlPlaneNamespace, log });
  const observe = metrics.request;
  const rest = { authority, controlPlaneNamespace, workloadCertTtlMs, clock, audit, log, observe };
  const server = createGrpcServer(createCa({ validators: { kubernetes }, ...rest }), 'network');
  const own = await followAuthority(replica, () =>
    keepOwnCertificate(authority, sentryIdentity(trustDomain, controlPlaneNamespace), workloadCertTtlMs, {
      clock,
      log,
    }),
  );
  const where = { host: ANY_HOST, port: ports.sentry };
  const bound = await listenOnTls(where, own.first, (connection) => server.accept(connection));
  if (!bound.ok) {
    own.stop();
    server.stop();
    return err(bound.error.kind === 'failed' ? bound.error.message : `port ${ports.sentry} is served already`);
  }
  own.onRenewed((credentials) => bound.value.renew(credentials));
  const port = bound.value.address?.port ?? 0;
  log.info('signing over TLS', { port });
  return ok({
    port,
    async close() {
      own.stop();
      server.stop();
      await bound.value.close();
    },
  });
}

interface FollowedCertificate {
  readonly first: Credentials;
  onRenewed(listener: (credentials: Credentials) => void): void;
  stop(): void;
}

/** Renewed as it ages, and at once when clients are to trust another root: the state was restored or replaced. */
async function followAuthority(replica: Replica, keep: () => Promise<OwnCertificate>): Promise<FollowedCertificate> {
  let own = await keep();
  let isStopped = false;
  let anchors = anchorsHeld(replica);
  let listener: (credentials: Credentials) => void = () => undefined;
  const follow = ({ source }: OwnCertificate) => source.credentials.changed((renewed) => renewed && listener(renewed));
  follow(own);
  const cancel = replica.state.changed(() => {
    if (anchorsHeld(replica) === anchors) return;
    anchors = anchorsHeld(replica);
    own.source.stop();
    void keep().then((next) => {
      own.source.stop();
      own = next;
      if (isStopped) {
        own.source.stop();
        return;
      }
      follow(own);
      listener(own.first);
    });
  });
  return {
    first: own.first,
    onRenewed: (wanted) => {
      listener = wanted;
    },
    stop() {
      isStopped = true;
      cancel();
      own.source.stop();
    },
  };
}

function anchorsHeld(replica: Replica): string | undefined {
  return replica.authority()?.anchorsPem;
}

interface Listening {
  readonly ports: readonly number[];
  readonly failure: string | undefined;
  close(): Promise<void>;
}

async function listenForMany(wanted: readonly (readonly [port: number, pages: Pages])[]): Promise<Listening> {
  const bound = await Promise.all(wanted.map(([port, pages]) => listenForPages(port, pages)));
  const listeners = bound.flatMap((outcome) => (outcome.ok ? [outcome.value] : []));
  return {
    ports: listeners.map(({ address }) => address?.port ?? 0),
    failure: bound.flatMap((outcome) => (outcome.ok ? [] : [outcome.error]))[0],
    async close() {
      await Promise.all(listeners.splice(0).map((listener) => listener.close()));
    },
  };
}
