// The app of this sidecar, as calls come to it: only while it is healthy, and no more at once than it takes, where that was asked for.
// Where it was not, nothing stands between a call and the transport.
import { refuse } from '../api/exchange.ts';
import type { Clock } from '../kit/clock.ts';
import { HeldBytes } from '../kit/held-bytes.ts';
import type { Log } from '../kit/log.ts';
import type { Snapshot } from '../kit/snapshot.ts';
import { InFlight } from '../policy/resiliency/limits/in-flight.ts';
import type { CallMetrics } from './admin/call-metrics.ts';
import { ContainerProbes } from './app/container-probes.ts';
import { AppHealth, type AppHealthState } from './app/health.ts';
import { HealthLog } from './app/health-log.ts';
import type { AppConfig } from './config.ts';
import type { PagesOfPort } from './edge/page-http.ts';
import { type OpenPermitted, TurnCall, type TurnOptions, type Turns, WAITING_BYTES_MAX } from './link/turn-call.ts';
import { appUnhealthy, noTurn } from './transport/app-faults.ts';
import { type ToApp, toApp } from './transport/to-app.ts';

/**
 * The bound of the queue. A call that finds so many before it is better off at another instance, or refused at once; and each that
 * waits holds some memory.
 */
const WAITING_MAX = 1024;

export interface OwnApp {
  readonly open: OpenPermitted;
  /** Undefined: nobody asks it. */
  readonly health: AppHealth | undefined;
  /** Where the kubelet asks for the probes that are done in its place. */
  readonly probePages: PagesOfPort;
  /** Breaks off everything. */
  close(): void;
}

export interface OwnAppDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: CallMetrics;
}

/** `bodyBytesMax`: of what has to be whole before it goes on. */
export function ownApp(config: AppConfig, bodyBytesMax: number, deps: OwnAppDeps): OwnApp {
  const { clock, log } = deps;
  const transport = toApp(config, bodyBytesMax, clock);
  const health = healthOf(config, transport, deps);
  const probes = new ContainerProbes(config.probes ?? [], clock, log);
  const { maxConcurrency: max } = config;
  const turns = max === undefined ? undefined : appTurns(max, deps);
  health?.state.changed((state) => {
    if (state.kind !== 'unhealthy') return;
    for (const waiting of turns?.takeWaiting() ?? []) waiting.dropped((call) => appUnhealthy(call, state.why));
  });
  const inTurn = turns === undefined ? transport.open : openInTurn(transport.open, turns, clock);
  return {
    open: health === undefined ? inTurn : whileHealthy(inTurn, health.state),
    health,
    probePages: probes.pages,
    close() {
      health?.stop();
      probes.close();
      transport.close();
    },
  };
}

/** `--app-max-concurrency`. */
function appTurns(max: number, { clock, metrics }: Pick<OwnAppDeps, 'clock' | 'metrics'>): Turns {
  const told = (waiting: number) => metrics.appCallsWaiting(waiting);
  return new InFlight({ clock, limit: max, queueSize: WAITING_MAX, queueTimeoutMs: Number.POSITIVE_INFINITY, told });
}

export function openInTurn(open: OpenPermitted, turns: Turns, clock: Clock): OpenPermitted {
  const options: TurnOptions = {
    ...{ turns, clock, held: new HeldBytes(WAITING_BYTES_MAX) },
    refusal: (call, why) => noTurn(call, why, turns.bounds.limit, turns.bounds.queueSize),
  };
  return (call, reply) => {
    const inTurn = new TurnCall(call, reply, open, options);
    inTurn.start();
    return inTurn;
  };
}

function whileHealthy(open: OpenPermitted, health: Snapshot<AppHealthState>): OpenPermitted {
  return (call, reply) => {
    const state = health.current();
    return state.kind === 'healthy' ? open(call, reply) : refuse(reply, appUnhealthy(call, state.why));
  };
}

const HEALTH_WORDS = {
  healthy: 'the app is healthy',
  notYet: 'the app is not healthy yet: it gets no calls',
  unhealthy: 'the app is unhealthy: it gets no calls',
};

function healthOf(
  { health: config }: AppConfig,
  transport: ToApp,
  { clock, log, metrics }: OwnAppDeps,
): AppHealth | undefined {
  const ask = config && transport.healthProbe(config.path);
  if (config === undefined || ask === undefined) return undefined;
  const health = new AppHealth(config, ask, clock, (problem) => metrics.appAsked(problem === undefined));
  metrics.appIsHealthy(false);
  const healthLog = new HealthLog(log, HEALTH_WORDS);
  health.state.changed((state) => {
    metrics.appIsHealthy(state.kind === 'healthy');
    healthLog.noted(state.kind === 'healthy' ? undefined : state.why);
  });
  return health;
}
