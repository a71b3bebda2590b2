// What holds for calls to one app, whoever calls, from the Resiliency objects of its own namespace.
import type { Identity } from '../../api/ids.ts';
import type { ResiliencySpec } from '../../api/resources/resiliency.ts';
import { parseDuration } from '../../kit/quantity.ts';
import { must } from '../../kit/result.ts';
import { type CallerPattern, callerPattern } from '../access/rule.ts';
import { type Glob, matchesGlob, parseGlob } from '../match/glob.ts';
import { limitPlan } from './compile.ts';
import type { RateRule } from './limits/rate.ts';
import type { LimitPlan } from './plan.ts';
import { type PlacedResiliency, settleFor } from './settle.ts';

export interface Inbound {
  readonly limit: LimitPlan | undefined;
  readonly shedding: 'none' | 'gradient';
  /** The first that is about a caller counts. */
  readonly rates: readonly RateRule[];
}

const UNLIMITED: Inbound = { limit: undefined, shedding: 'none', rates: [] };

type SpecRate = NonNullable<NonNullable<ResiliencySpec['inbound']>['rateLimits']>[number];

export function compileInbound(own: Identity, objects: readonly PlacedResiliency[]): Inbound {
  const { accepted: ours } = settleFor(own, objects);
  // No two of those that are accepted for an app speak of it.
  const inbound = ours.find(({ spec }) => spec.inbound !== undefined)?.spec.inbound;
  if (inbound === undefined) return UNLIMITED;
  return {
    limit: inbound.limits && limitPlan(inbound.limits),
    shedding: inbound.shedding,
    rates: (inbound.rateLimits ?? []).map((rate) => rateRule(rate, own)),
  };
}

function rateRule({ from, requests, per, burst }: SpecRate, own: Identity): RateRule {
  const patterns = from?.map((caller) => readyPattern(callerPattern(caller, own.namespace, own.trustDomain)));
  return {
    isAbout: (caller) => patterns === undefined || patterns.some((pattern) => fits(pattern, caller)),
    // A time of nothing is no limit, and still one that can be divided by.
    intervalMs: Math.max(must(parseDuration(per)) / requests, Number.EPSILON),
    burst: burst ?? requests,
  };
}

interface ReadyPattern {
  readonly app: Glob;
  readonly namespace: Glob;
  readonly trustDomain: string;
}

function readyPattern({ app, namespace, trustDomain }: CallerPattern): ReadyPattern {
  return { app: parseGlob(app), namespace: parseGlob(namespace), trustDomain };
}

function fits({ app, namespace, trustDomain }: ReadyPattern, caller: Identity): boolean {
  return caller.trustDomain === trustDomain && matchesGlob(app, caller.app) && matchesGlob(namespace, caller.namespace);
}
