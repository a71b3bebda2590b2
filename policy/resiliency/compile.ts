// From Resiliency objects to plans: which object speaks of an app, what names stand for, and what is left out filled in.
import type { Target } from '../../api/ids.ts';
import type { ResiliencySpec } from '../../api/resources/resiliency.ts';
import { parseTrip } from '../../api/trip.ts';
import { parseDuration } from '../../kit/quantity.ts';
import { must, ok, type Result } from '../../kit/result.ts';
import { type Glob, matchesGlob, parseGlob } from '../match/glob.ts';
import { matchingOf } from './codes.ts';
import {
  type BalancingPlan,
  type BreakerPlan,
  BUILT_IN,
  BUILT_IN_ROUTE,
  type LimitPlan,
  type RetryPlan,
  type RoutePlan,
  type TargetPlan,
} from './plan.ts';
import { routesOf } from './routes.ts';
import { DEFAULT_NAMES, type PlacedResiliency, settleFor } from './settle.ts';

type Policies = ResiliencySpec['policies'];
type SpecTarget = ResiliencySpec['targets']['apps'][string];
type SpecRoute = NonNullable<SpecTarget['routes']>[number];
type SpecWay = Pick<SpecTarget, 'timeout' | 'totalTimeout' | 'retry' | 'circuitBreaker' | 'hedging'>;

/** What an app's sidecar goes by when it calls others. */
export interface Outbound {
  planFor(target: Target): TargetPlan;
  /** What could not be read, a sentence each; it is as if it were not there. */
  readonly problems: readonly string[];
}

interface CompiledTarget {
  readonly pattern: string;
  readonly glob: Glob;
  readonly plan: TargetPlan;
}

/** `objects` in any order, of whatever namespace; those that count are of the app's own namespace and scope. */
export function compileOutbound(own: Target, objects: readonly PlacedResiliency[]): Outbound {
  const { accepted: ours } = settleFor(own, objects);
  const problems: string[] = [];
  const compiled: CompiledTarget[] = [];
  for (const { namespace, name, spec } of ours) {
    for (const [app, target] of Object.entries(spec.targets.apps)) {
      const plan = targetPlan(target, spec.policies);
      if (!plan.ok) problems.push(`Resiliency ${namespace}/${name}, targets.apps[${app}]: ${plan.error}`);
      else {
        const pattern = app.includes('.') ? app : `${app}.${own.namespace}`;
        compiled.push({ pattern, glob: parseGlob(pattern), plan: plan.value });
      }
    }
  }
  compiled.sort(bySpecificity);
  const otherwise = { ...BUILT_IN, routes: { of: constant(defaultRoute(ours)) } };
  return {
    problems,
    planFor: ({ app, namespace }) =>
      compiled.find(({ glob }) => matchesGlob(glob, `${app}.${namespace}`))?.plan ?? otherwise,
  };
}

/** A whole app id before a pattern, then a whole namespace, then the longer. */
function bySpecificity(a: CompiledTarget, b: CompiledTarget): number {
  return weightOf(b) - weightOf(a) || (a.pattern < b.pattern ? -1 : 1);
}

function weightOf({ pattern }: CompiledTarget): number {
  const [app = '', namespace = ''] = pattern.split('.');
  const whole = (name: string) => (name.includes('*') ? 0 : 1);
  return whole(app) * 2000 + whole(namespace) * 1000 + pattern.replaceAll('*', '').length;
}

function targetPlan(target: SpecTarget, policies: Policies): Result<TargetPlan> {
  const { balancing, ejection, retryBudget, builtInRetries, limits, circuitBreakerCacheSize } = target;
  const otherwise = wayPlan(target, policies, BUILT_IN_ROUTE, circuitBreakerCacheSize);
  if (!otherwise.ok) return otherwise;
  const written = [];
  for (const route of target.routes ?? []) {
    const plan = wayPlan(route, policies, otherwise.value, circuitBreakerCacheSize);
    if (!plan.ok) return plan;
    written.push({ methods: route.methods, paths: route.paths, grpc: route.grpc, plan: named(plan.value, route) });
  }
  const routes = routesOf(written, otherwise.value);
  if (!routes.ok) return routes;
  return ok({
    balancing: balancing === undefined ? BUILT_IN.balancing : balancingPlan(balancing),
    ejection: ejection === undefined ? BUILT_IN.ejection : ejectionPlan(ejection),
    budget: retryBudget ?? BUILT_IN.budget,
    builtIn: builtInRetries ?? BUILT_IN.builtIn,
    limit: limits && limitPlan(limits),
    routes: routes.value,
  });
}

function named(plan: RoutePlan, { name, idempotent }: SpecRoute): RoutePlan {
  return { ...plan, name, idempotent };
}

/** What a way leaves out is as for what it is a part of. */
function wayPlan(way: SpecWay, policies: Policies, base: RoutePlan, operationsMax: number): Result<RoutePlan> {
  const { timeout, totalTimeout, retry, circuitBreaker, hedging } = way;
  const breaker =
    circuitBreaker === undefined ? ok(base.breaker) : breakerPlan(policies, circuitBreaker, operationsMax);
  if (!breaker.ok) return breaker;
  return ok({
    ...base,
    tryTimeoutMs: timeoutMs(policies, timeout) ?? base.tryTimeoutMs,
    totalTimeoutMs: timeoutMs(policies, totalTimeout) ?? base.totalTimeoutMs,
    retry: retryPlan(policies, retry) ?? base.retry,
    breaker: breaker.value,
    hedging: hedging === undefined ? base.hedging : { delayMs: ms(hedging.delay), maxExtra: hedging.maxExtra },
  });
}

/** The policies that hold by their names for apps that no target is about. */
function defaultRoute(objects: readonly PlacedResiliency[]): RoutePlan {
  let route = BUILT_IN_ROUTE;
  // The oldest last, so that it decides.
  for (const { spec } of objects.toReversed()) {
    const { policies } = spec;
    const known = (kind: keyof Policies) => DEFAULT_NAMES[kind].find((name) => Object.hasOwn(policies[kind], name));
    const way = { timeout: known('timeouts'), retry: known('retries'), circuitBreaker: known('circuitBreakers') };
    const plan = wayPlan(way, policies, route, OPERATIONS_MAX);
    if (plan.ok) route = plan.value;
  }
  return route;
}

/** As the schema has it for targets. */
const OPERATIONS_MAX = 100;

function timeoutMs({ timeouts }: Policies, name: string | undefined): number | undefined {
  const written = name === undefined ? undefined : timeouts[name];
  return written === undefined ? undefined : ms(written);
}

function retryPlan({ retries }: Policies, name: string | undefined): RetryPlan | undefined {
  const written = name === undefined ? undefined : retries[name];
  if (written === undefined) return undefined;
  const { policy, duration, maxInterval, maxRetries, jitter, matching } = written;
  return {
    backoff: policy,
    durationMs: ms(duration),
    maxIntervalMs: ms(maxInterval),
    maxRetries: maxRetries < 0 ? Number.POSITIVE_INFINITY : maxRetries,
    jitter: jitter ?? (policy === 'exponential' ? 'full' : 'none'),
    matching: matchingOf(matching),
  };
}

/** Dapr's condition where none is written. */
const DEFAULT_TRIP = 'consecutiveFailures > 5';

function breakerPlan(
  { circuitBreakers }: Policies,
  name: string,
  operationsMax: number,
): Result<BreakerPlan | undefined> {
  const written = circuitBreakers[name];
  if (written === undefined) return ok(undefined);
  const { maxRequests, interval, timeout, trip, consecutiveFailures, failureRatio } = written;
  const isDaprs = consecutiveFailures === undefined && failureRatio === undefined;
  const counted = consecutiveFailures === undefined ? undefined : `consecutiveFailures >= ${consecutiveFailures}`;
  const condition = isDaprs ? (trip ?? DEFAULT_TRIP) : counted;
  const read = condition === undefined ? ok(undefined) : parseTrip(condition);
  if (!read.ok) return read;
  return ok({
    maxRequests,
    intervalMs: ms(interval),
    openMs: ms(timeout),
    trip: read.value,
    ratio: failureRatio && {
      percent: failureRatio.percent,
      windowMs: ms(failureRatio.window),
      minRequests: failureRatio.minRequests,
    },
    counting: isDaprs ? 'every-error' : 'servers-failures',
    operationsMax,
  });
}

function balancingPlan(written: NonNullable<SpecTarget['balancing']>): BalancingPlan {
  const { algorithm, hashHeader, slowStart, zone, subsets } = written;
  const common = {
    slowStartMs: ms(slowStart),
    zone,
    subsets: (subsets ?? []).map(({ name, labels, weight }) => ({
      name,
      labels: new Map(Object.entries(labels)),
      weight,
    })),
  };
  if (algorithm !== 'consistent-hash') return { ...common, algorithm };
  // The schema lets no hash be without its header; without one, all calls would go to one instance.
  if (hashHeader === undefined) return { ...common, algorithm: 'random' };
  return { ...common, algorithm, hashHeader: hashHeader.toLowerCase() };
}

function ejectionPlan(written: NonNullable<SpecTarget['ejection']>): TargetPlan['ejection'] {
  const { enabled, consecutiveFailures, baseTime, maxTime, maxPercent } = written;
  return { enabled, consecutiveFailures, baseMs: ms(baseTime), maxMs: ms(maxTime), maxPercent };
}

export function limitPlan(written: NonNullable<SpecTarget['limits']>): LimitPlan {
  const { maxInFlight, queueSize, queueTimeout } = written;
  return { maxInFlight, queueSize, queueTimeoutMs: ms(queueTimeout) };
}

/** Of a spec that was read, durations are durations. */
function ms(duration: string): number {
  return must(parseDuration(duration));
}

function constant<T>(value: T): () => T {
  return () => value;
}
