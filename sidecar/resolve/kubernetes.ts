// Names in a cluster: what the operator's feed says of an app, and DNS where the feed says nothing.
//
//   K1. While the feed knows an app, it alone is believed: it tells ready from terminating and absent from unknown.
//   K2. Without it DNS is, and "no such name" is then `no-endpoint`: it may mean either.
//   K3. The first call to an app asks both, and goes by the first that is of use.
//   K4. What the feed said last stands in until DNS has answered.
//
// Whoever answers at an address has to show the certificate of the app that was asked for, wherever the address is from.
// The webhook's labels announce a pod, so a sidecar announces nothing.
import type { Fault } from '../../api/fault.ts';
import { type Target, targetName } from '../../api/ids.ts';
import { PEER_PORT_NAME, serviceName } from '../../api/pod.ts';
import type { Random } from '../../kit/backoff.ts';
import { type Cancel, type Clock, every } from '../../kit/clock.ts';
import type { AppEndpoints } from '../feed/feed.ts';
import type { DnsClient } from './dns/client.ts';
import { lookUpService, type ServiceAnswer } from './dns/service.ts';
import { DnsSet } from './dns-set.ts';
import { absentFromDns, notLookedUp, unclaimedApp, unreadyApp } from './kubernetes-absent.ts';
import type { Endpoint, EndpointFeed, Names, Resolution, Resolved } from './resolver.ts';

export interface KubernetesOptions {
  /** `cluster.local`, as a rule. */
  readonly clusterDomain: string;
  readonly dns: DnsClient;
  readonly clock: Clock;
  readonly random: Random;
}

const DNS_TIMEOUT_MS = 4000;
/** For the first answer of any use; a little more than DNS takes to give up. */
const FIRST_ANSWER_MS = 5000;
const APPS_MAX = 1000;
const UNUSED_MS_MAX = 10 * 60_000;
const SWEEP_MS = 60_000;

export function openKubernetes(options: KubernetesOptions): Names {
  const { clock } = options;
  const apps = new Map<string, App>();
  let feed: EndpointFeed | undefined;
  let unfollow: Cancel = () => undefined;

  const drop = (name: string, app: App) => {
    app.close();
    apps.delete(name);
  };
  const stopSweeping = every(clock, SWEEP_MS, () => {
    for (const [name, app] of apps) if (clock.elapsed() - app.usedMs > UNUSED_MS_MAX) drop(name, app);
  });
  const appOf = (target: Target): App => {
    const name = targetName(target);
    const known = apps.get(name);
    if (known) return known;
    const [eldest] = apps.size < APPS_MAX ? [] : [...apps].sort(([, a], [, b]) => a.usedMs - b.usedMs);
    if (eldest) drop(...eldest);
    const app = new App(target, options, () => feed);
    apps.set(name, app);
    return app;
  };

  return {
    resolve: (target) => appOf(target).resolve(),
    follow(live) {
      feed = live;
      unfollow = live.changed((target) => apps.get(targetName(target))?.feedChanged());
    },
    announce: () => ({ setReady: () => undefined, withdraw: () => undefined }),
    close() {
      stopSweeping();
      unfollow();
      for (const [name, app] of apps) drop(name, app);
    },
  };
}

/** What the feed said, and what it comes down to for a call. */
interface Told {
  readonly said: AppEndpoints;
  readonly endpoints: readonly Endpoint[];
  readonly resolved: Resolved;
}

class App {
  readonly #target: Target;
  readonly #clock: Clock;
  readonly #feed: () => EndpointFeed | undefined;
  readonly #dns: DnsSet;
  readonly #waiters = new Set<() => void>();
  readonly #bornMs: number;
  /** The one answer of its kind: calls come often, and what they find changes seldom. */
  readonly #found: Resolved;
  #told: Told | undefined;
  #isWatched = false;
  usedMs: number;

  constructor(target: Target, options: KubernetesOptions, feed: () => EndpointFeed | undefined) {
    this.#target = target;
    this.#clock = options.clock;
    this.#feed = feed;
    this.#dns = new DnsSet({ ...options, lookUp: () => lookUp(target, options), answered: () => this.#wake() });
    this.#bornMs = this.#clock.elapsed();
    this.usedMs = this.#bornMs;
    this.#found = { kind: 'found', upstream: { target, endpoints: () => this.#endpoints() } };
  }

  resolve(): Resolution {
    this.usedMs = this.#clock.elapsed();
    this.#isWatched = this.#feed()?.watch(this.#target) ?? false;
    const told = this.#listen();
    if (told !== undefined) return told.resolved;
    this.#dns.use();
    return this.#look() ?? { kind: 'miss', wait: (done) => this.#wait(done) };
  }

  feedChanged(): void {
    this.#listen();
    this.#wake();
  }

  close(): void {
    this.#dns.close();
    this.#wake();
  }

  /** What the feed says now. When it falls silent, DNS takes over from where it left. */
  #listen(): Told | undefined {
    const said = this.#feed()?.endpoints(this.#target);
    const before = this.#told;
    if (said === before?.said) return before;
    this.#told = said === undefined ? undefined : this.#read(said);
    if (before !== undefined && said === undefined) this.#dns.assume(before.endpoints);
    return this.#told;
  }

  #read(said: AppEndpoints): Told {
    const endpoints = usable(said);
    if (endpoints.length > 0) return { said, endpoints, resolved: this.#found };
    const reason = said.isClaimed ? unreadyApp(this.#target, said.endpoints.length) : unclaimedApp(this.#target);
    return { said, endpoints, resolved: { kind: 'absent', fault: reason } };
  }

  #endpoints(): readonly Endpoint[] {
    const told = this.#listen();
    if (told !== undefined) return told.endpoints;
    const view = this.#dns.view();
    return view.kind === 'found' ? view.endpoints : [];
  }

  /** Undefined: an answer that is of more use is still to come. */
  #look(): Resolved | undefined {
    const told = this.#listen();
    if (told !== undefined) return told.resolved;
    const view = this.#dns.view();
    if (view.kind === 'found') return this.#found;
    if (view.kind === 'unknown' || this.#isFeedToAnswer()) return undefined;
    return { kind: 'absent', fault: this.#absent() };
  }

  #isFeedToAnswer(): boolean {
    return (
      this.#isWatched && this.#feed()?.state().kind === 'live' && this.#clock.elapsed() - this.#bornMs < FIRST_ANSWER_MS
    );
  }

  #absent(): Fault {
    const view = this.#dns.view();
    const state = this.#feed()?.state();
    const silence = state === undefined || state.kind === 'live' ? undefined : state.lastError;
    if (view.kind === 'none') return absentFromDns(this.#target, silence);
    const reason = view.kind === 'failed' ? view.reason : 'no answer in time';
    return notLookedUp(this.#target, silence === undefined ? reason : `${reason}; ${silence}`);
  }

  #wait(done: (resolved: Resolved) => void): Cancel {
    const settle = (resolved: Resolved) => {
      cancel();
      done(resolved);
    };
    const look = () => {
      const resolved = this.#look();
      if (resolved !== undefined) settle(resolved);
    };
    const cancelTimeout = this.#clock.after(FIRST_ANSWER_MS, () =>
      settle(this.#look() ?? { kind: 'absent', fault: this.#absent() }),
    );
    const cancel = () => {
      cancelTimeout();
      this.#waiters.delete(look);
    };
    this.#waiters.add(look);
    return cancel;
  }

  #wake(): void {
    for (const look of [...this.#waiters]) look();
  }
}

/** The ready ones. Where there are none, those that still serve while they end: better than nobody. */
function usable({ endpoints }: AppEndpoints): readonly Endpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  return ready.length > 0 ? ready : endpoints.filter(({ serving, terminating }) => serving && terminating);
}

function lookUp({ app, namespace }: Target, { clusterDomain, dns, clock }: KubernetesOptions): Promise<ServiceAnswer> {
  const name = `_${PEER_PORT_NAME}._tcp.${serviceName(app)}.${namespace}.svc.${clusterDomain}.`;
  return lookUpService(name, dns, clock.elapsed() + DNS_TIMEOUT_MS);
}
