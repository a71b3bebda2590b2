// A sidecar's life.
//
//   start   ask for an identity ▶ bind every port (a taken one fails at once) ▶ serve peers, tell the name ▶ app listens,
//           and is healthy: ready
//   drain   take the name back ▶ GOAWAY to peers ▶ refuse new inbound calls; outbound stays open
//   stop    drain ▶ refuse outbound too ▶ let calls in flight finish, within the grace ▶ close everything
import type { IdentityState } from '../identity/source.ts';
import type { Credentials } from '../identity/svid.ts';
import type { Cancel } from '../kit/clock.ts';
import { ok, type Result } from '../kit/result.ts';
import { whenPortOpens } from './app/port-watch.ts';
import { noSnapshot } from './authorize/grounds.ts';
import type { StartFailure } from './bind.ts';
import type { Unready } from './blocks/health.ts';
import type { SidecarConfig } from './config.ts';
import { type Listeners, openListeners, type SidecarPorts } from './listeners.ts';
import { joinParts, type SidecarDeps, type SidecarParts } from './parts.ts';
import type { Announced } from './resolve/resolver.ts';

export type { StartFailure } from './bind.ts';
export type { SidecarPorts } from './listeners.ts';
export type { SidecarDeps } from './parts.ts';

export interface Sidecar {
  /** The ports it bound. The app API answers from here on, with `not-ready` faults until an identity is there. */
  readonly ports: SidecarPorts;
  /** Whether it can prove who it is, and if not, why not. */
  identity(): IdentityState;
  /** Settles once everything is closed: 0, or 1 when work was cut off or shutdown was forced. Never rejects. */
  readonly done: Promise<0 | 1>;
  /** Refuse new inbound calls and take the name back; outbound stays open. Idempotent. */
  drain(): void;
  /** Settles once it drains and the inbound calls that will end by themselves have ended: the app may go. */
  readonly drained: Promise<void>;
  /** Drain, let calls in flight finish within the grace, close. Idempotent. */
  stop(): void;
}

export async function startSidecar(config: SidecarConfig, deps: SidecarDeps): Promise<Result<Sidecar, StartFailure>> {
  const life = new Life(config, deps);
  const listeners = await openListeners(config, life.parts.servings);
  if (!listeners.ok) {
    life.parts.feed?.stop();
    life.parts.identity.stop();
    return listeners;
  }
  return ok(life.serve(listeners.value));
}

/** For what is still being written when the last call is over. */
const CLOSE_GRACE_MS = 1000;
/** For the answer to the request that forced the shutdown. */
const FORCED_CLOSE_GRACE_MS = 100;
/** An app that listens on another port looks like one that starts; by then somebody should say which port is meant. */
const APP_LATE_MS = 15_000;
const APP_LATE = 'the app does not listen yet, so no calls come; does it run, and is this its port (--app-port)?';

type Phase =
  | { readonly kind: 'starting' }
  | { readonly kind: 'serving'; readonly listeners: Listeners; readonly cancels: readonly Cancel[] }
  | { readonly kind: 'draining'; readonly listeners: Listeners }
  | { readonly kind: 'stopping'; readonly listeners: Listeners }
  | { readonly kind: 'closed' };

class Life {
  readonly parts: SidecarParts;
  readonly #config: SidecarConfig;
  readonly #deps: SidecarDeps;
  readonly #done = Promise.withResolvers<0 | 1>();
  readonly #drained = Promise.withResolvers<void>();
  #phase: Phase = { kind: 'starting' };
  #announced: Announced | undefined;
  #isAppOpen: boolean;
  /** In a pod, what the control plane has given once is enough: its absence later takes no pod out of service. */
  #wasReady = false;

  constructor(config: SidecarConfig, deps: SidecarDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#isAppOpen = config.app.port === undefined;
    const health = { ready: () => this.#unready(), outboundReady: () => this.#outboundUnready() };
    const shutdown = { graceful: () => this.stop(), forced: () => this.#close(1, FORCED_CLOSE_GRACE_MS) };
    this.parts = joinParts(config, deps, health, shutdown);
  }

  serve(listeners: Listeners): Sidecar {
    const { identity, credentials, peers, metrics } = this.parts;
    const { log } = this.#deps;
    const use = (current: Credentials | undefined) => {
      if (current === undefined) return;
      peers.use(current);
      metrics.certificateExpires(current.svid.notAfter);
    };
    use(credentials.current());
    const cancels = [credentials.changed(use), identity.firstReady(() => this.#announce(listeners.ports))];
    const { host, port } = this.#config.app;
    const { health } = this.parts.app;
    if (health !== undefined) cancels.push(health.state.changed(() => this.#announced?.setReady(this.#isAppServing)));
    if (port !== undefined) cancels.push(...this.#awaitApp(host, port));
    this.#phase = { kind: 'serving', listeners, cancels };
    log.info('listening', { ...listeners.ports });
    return {
      ports: listeners.ports,
      identity: () => identity.state(),
      done: this.#done.promise,
      drain: () => this.drain(),
      drained: this.#drained.promise,
      stop: () => this.stop(),
    };
  }

  drain(): void {
    const phase = this.#phase;
    if (phase.kind !== 'serving') return;
    this.#phase = { kind: 'draining', listeners: phase.listeners };
    for (const cancel of phase.cancels) cancel();
    this.#announced?.withdraw();
    this.parts.app.health?.stop();
    this.parts.flights.close('inbound');
    this.parts.peers.drain();
    this.parts.flights.whenServed(() => this.#drained.resolve());
    this.#deps.log.info('draining: no new inbound calls');
  }

  stop(): void {
    this.drain();
    const phase = this.#phase;
    if (phase.kind !== 'draining') return;
    this.#phase = { kind: 'stopping', listeners: phase.listeners };
    const { flights } = this.parts;
    flights.close('outbound');
    const cancel = this.#deps.clock.after(this.#config.gracefulShutdownMs, () => {
      const cutOff = flights.cut();
      if (cutOff > 0) this.#deps.log.warn('the grace is over', { callsCutOff: cutOff });
      this.#close(cutOff > 0 ? 1 : 0, CLOSE_GRACE_MS);
    });
    flights.whenIdle(() => {
      cancel();
      this.#close(0, CLOSE_GRACE_MS);
    });
  }

  #close(code: 0 | 1, graceMs: number): void {
    const phase = this.#phase;
    if (phase.kind === 'starting' || phase.kind === 'closed') return;
    if (phase.kind === 'serving') this.drain();
    this.#phase = { kind: 'closed' };
    const { identity, feed, pool, app, outside } = this.parts;
    const { clock, log } = this.#deps;
    void phase.listeners.close(graceMs, clock).then(() => {
      pool.close();
      app.close();
      outside.close();
      feed?.stop();
      identity.stop();
      log.info('stopped', { code });
      this.#done.resolve(code);
    });
  }

  #announce(ports: SidecarPorts): void {
    const { names } = this.#deps;
    const { peerListenAddress, app } = this.#config;
    const isWildcard = peerListenAddress === '::' || peerListenAddress === '0.0.0.0';
    const peer = { host: isWildcard ? '127.0.0.1' : peerListenAddress, port: ports.peer };
    const own = { httpPort: ports.http, metricsPort: ports.metrics, appPort: app.port };
    this.#announced = names.announce({ identity: this.parts.self, peer, ...own });
    this.#announced.setReady(this.#isAppServing);
  }

  #awaitApp(host: string, port: number): readonly Cancel[] {
    const { clock, log } = this.#deps;
    const cancelLate = clock.after(APP_LATE_MS, () => log.warn(APP_LATE, { appPort: port }));
    const cancelWatch = whenPortOpens(host, port, clock, () => {
      cancelLate();
      this.#appOpened(port);
    });
    return [cancelLate, cancelWatch];
  }

  #appOpened(port: number): void {
    this.#isAppOpen = true;
    this.#announced?.setReady(this.#isAppServing);
    this.parts.app.health?.start();
    this.#deps.log.info('the app listens', { appPort: port });
  }

  get #isAppServing(): boolean {
    return this.#appUnready() === undefined;
  }

  #appUnready(): Unready {
    if (!this.#isAppOpen) return `the app does not listen on port ${this.#config.app.port} yet`;
    const health = this.parts.app.health?.state.current();
    return health?.kind === 'unhealthy' ? `the app is not healthy: ${health.why}` : undefined;
  }

  #unready(): Unready {
    if (this.#phase.kind !== 'serving') return 'the sidecar is stopping and takes no new calls';
    return this.#outboundUnready() ?? this.#appUnready();
  }

  #outboundUnready(): Unready {
    if (this.#phase.kind !== 'serving' && this.#phase.kind !== 'draining') return 'the sidecar is stopping';
    const { identity, feed } = this.parts;
    if (feed !== undefined && this.#wasReady) return undefined;
    const state = identity.state();
    if (state.kind !== 'ready')
      return `no certificate yet${state.lastError === undefined ? '' : `: ${state.lastError}`}`;
    if (feed !== undefined && feed.config.current() === undefined) return noSnapshot(feed);
    this.#wasReady = true;
    return undefined;
  }
}
