// The operator's life.
//
//   start  pages for probes ▶ watch the cluster, ask for a certificate ▶ webhooks, feed ▶ all is listed: candidate for leader
//   stop   not ready ▶ reconcilers end, the lease is given back ▶ feed, webhooks ▶ certificate, stores, pages
//
// Every replica serves webhooks and feed, and writes down what it hears of policies in audit mode; the leader alone reconciles.
import { OPERATOR } from '../api/pod.ts';
import type { IdentitySource } from '../identity/source.ts';
import type { Family } from '../kit/metrics.ts';
import { listenForPages } from '../kit/page-server.ts';
import type { Page } from '../kit/pages.ts';
import { ok, type Result } from '../kit/result.ts';
import { type Candidacy, runForLeader } from '../kube/lease.ts';
import { keepAudits } from './audit/keeper.ts';
import type { OperatorConfig } from './config.ts';
import { type FeedOptions, startFeed } from './feed/feed.ts';
import { namedStores, type Readiness, readinessPage, unready } from './health.ts';
import { metricsPage } from './metrics.ts';
import { joinParts, type OperatorDeps, type OperatorParts } from './parts.ts';
import { lead } from './reconcile/lead.ts';
import { type ReconcileMetrics, reconcileMetrics } from './reconcile/metrics.ts';
import type { ServingPart } from './serving-part.ts';
import { startWebhooks } from './webhook/server.ts';

export type { OperatorDeps } from './parts.ts';

export interface Operator {
  /** As bound. */
  readonly ports: {
    readonly health: number;
    readonly metrics: number;
    readonly webhook: number;
    readonly feed: number;
  };
  /** Sentences; empty when this replica is of use. */
  unready(): readonly string[];
  /** Settles when all is closed. Idempotent. */
  stop(): Promise<void>;
}

/** What fails to start ends the start: what was begun is closed, and the cause is the answer. */
export async function startOperator(config: OperatorConfig, deps: OperatorDeps): Promise<Result<Operator>> {
  const life = new Life(config, deps);
  const ports = await life.open();
  if (!ports.ok) {
    await life.close();
    return ports;
  }
  life.standForElection();
  deps.log.info('serving', ports.value);
  return ok({ ports: ports.value, unready: () => life.unready(), stop: () => life.close() });
}

class Life {
  readonly #config: OperatorConfig;
  readonly #deps: OperatorDeps;
  readonly #parts: OperatorParts;
  readonly #counted: ReconcileMetrics = reconcileMetrics();
  readonly #families: (readonly Family[])[] = [this.#counted.families];
  /** Each says why it is not ready. */
  readonly #readiness: Readiness[] = [];
  /** Run last first. */
  readonly #closers: (() => void | Promise<void>)[] = [];
  #closed: Promise<void> | undefined;

  constructor(config: OperatorConfig, deps: OperatorDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#parts = joinParts(config, deps);
    const { stores, claims, identity, events, audits } = this.#parts;
    this.#readiness.push(() => withoutCertificate(identity));
    const keeper = keepAudits(audits, { ...deps, policies: stores.accessPolicies });
    this.#closers.push(async () => {
      await keeper.stop();
      await events.stop();
      identity.stop();
      claims.stop();
      for (const [, store] of namedStores(stores)) store.stop();
    });
  }

  unready(): readonly string[] {
    if (this.#closed !== undefined) return ['this replica is stopping'];
    return unready(this.#parts.stores, this.#readiness);
  }

  async open(): Promise<Result<Operator['ports']>> {
    const { health, metrics } = this.#config.ports;
    const { stores, identity } = this.#parts;
    const certificateEnds = () => identity.credentials.current()?.svid.notAfter;
    const probes = await this.#openPages(health, {
      '/healthz': () => ({ status: 200, body: 'alive\n' }),
      '/readyz': () => readinessPage(this.unready()),
    });
    if (!probes.ok) return probes;
    const counts = await this.#openPages(metrics, { '/metrics': metricsPage(stores, this.#families, certificateEnds) });
    if (!counts.ok) return counts;
    const webhook = this.#hold(await this.#startWebhooks());
    if (!webhook.ok) return webhook;
    const feed = this.#hold(await this.#startFeed());
    if (!feed.ok) return feed;
    return ok({ health: probes.value, metrics: counts.value, webhook: webhook.value, feed: feed.value });
  }

  /** As a candidate for leader, once there is something to lead by. */
  standForElection(): void {
    const { stores, reconcilers } = this.#parts;
    const { kube, random, log } = this.#deps;
    const { namespace, replica } = this.#config;
    let candidacy: Candidacy | undefined;
    void Promise.all(namedStores(stores).map(([, store]) => store.synced)).then(() => {
      if (this.#closed !== undefined) return;
      log.info('all that is watched has been listed');
      const identity = `${replica}_${Math.floor(random() * 2 ** 32).toString(16)}`;
      const elected = (signal: AbortSignal) => lead(reconcilers, signal, { ...this.#deps, metrics: this.#counted });
      candidacy = runForLeader(kube, { namespace, name: OPERATOR, identity }, { elected }, this.#deps);
    });
    this.#closers.push(() => candidacy?.stop());
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) await close();
    this.#deps.log.info('stopped');
  }

  async #openPages(port: number, pages: Readonly<Record<string, () => Page>>): Promise<Result<number>> {
    const listener = await listenForPages(port, pages);
    if (!listener.ok) return listener;
    // Last of all: until then probes are told that it stops.
    this.#closers.unshift(() => listener.value.close());
    return ok(listener.value.address?.port ?? port);
  }

  /** Its port. What serves has its say in whether this replica is ready, and is closed with it. */
  #hold(started: Result<ServingPart>): Result<number> {
    if (!started.ok) return started;
    const part = started.value;
    this.#families.push(part.families);
    this.#readiness.push(() => part.unready());
    this.#closers.push(() => part.stop());
    return ok(part.port);
  }

  #startWebhooks(): Promise<Result<ServingPart>> {
    const { stores, ensureTrustBundle } = this.#parts;
    const { namespacePolicies, httpEndpoints } = stores;
    return startWebhooks({ ...this.#deps, config: this.#config, namespacePolicies, httpEndpoints, ensureTrustBundle });
  }

  #startFeed(): Promise<Result<ServingPart>> {
    const { stores, claims, identity, audits, trustAnchors } = this.#parts;
    const asBytes = () => {
      const pem = trustAnchors();
      return pem === undefined ? undefined : Buffer.from(pem);
    };
    const heard: FeedOptions['heard'] = (self, reports) => audits.hear(self, reports);
    const options = { config: this.#config, stores, claims, heard, trustAnchors: asBytes };
    return startFeed({ ...this.#deps, ...options, credentials: identity.credentials });
  }
}

/** Why: the sentry's own words, or what keeps us from it. That there is none yet the feed says. */
function withoutCertificate(identity: IdentitySource): string | undefined {
  const state = identity.state();
  return state.kind === 'waiting' ? state.lastError : undefined;
}
