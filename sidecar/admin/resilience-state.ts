// How things stand with the targets of this sidecar, for people and tools: breakers, budgets, and instances that are left alone. It
// is read off when somebody asks, and bounded: those in trouble come first, and how many were left out is said.
import { calleeName } from '../../api/external.ts';
import { excerpt } from '../../kit/text.ts';
import type { BreakerReading } from '../../policy/resiliency/breakers.ts';
import { type Member, memberKey } from '../../policy/resiliency/pick/member.ts';
import type { BreakerState } from '../../policy/resiliency/watch.ts';
import type { TargetState, Targets } from '../resilience/targets.ts';

export interface ResilienceState {
  readonly targets: readonly TargetReport[];
  readonly targetsLeftOut: number;
}

export interface TargetReport {
  readonly target: string;
  readonly instances: number;
  readonly leftAlone: readonly InstanceReport[];
  readonly leftAloneLeftOut: number;
  /** Retries of the last ten seconds: how many there may be, and how many of those are left. */
  readonly budget: { readonly retries: number; readonly left: number };
  readonly breakers: readonly BreakerReport[];
  readonly breakersLeftOut: number;
}

export interface InstanceReport {
  readonly instance: string;
  /** `probing`: its time is over, and one call is to show whether it is well. `turned-away`: it took nothing, a moment ago. */
  readonly state: 'ejected' | 'probing' | 'turned-away';
  /** How long it goes on to be left alone. */
  readonly forMs: number;
  /** In a row. */
  readonly failures: number;
}

export interface BreakerReport {
  /** Of a route, by its name; else of a path. */
  readonly route?: string;
  readonly path?: string;
  readonly state: BreakerState;
  /** How long it goes on to refuse. */
  readonly forMs: number;
}

const TARGETS_MAX = 100;
/** Of each target. */
const BREAKERS_MAX = 20;
const INSTANCES_MAX = 20;
const PATH_CHARACTERS_MAX = 200;

export function resilienceState(targets: Targets, nowMs: number): ResilienceState {
  const reports = targets.list().map((target) => reportOf(target, nowMs));
  const kept = worstFirst(reports, isTroubled, TARGETS_MAX);
  return { targets: kept, targetsLeftOut: reports.length - kept.length };
}

function reportOf({ target, pool, budget, breakers }: TargetState, nowMs: number): TargetReport {
  const alone = pool.members().flatMap((member) => instanceOf(member, nowMs) ?? []);
  const instances = worstFirst(alone, ({ state }) => state !== 'turned-away', INSTANCES_MAX);
  const all = [...breakers.readings(nowMs)];
  const told = worstFirst(all, ({ state }) => state !== 'closed', BREAKERS_MAX);
  const { credit, spent } = budget.reading(nowMs);
  return {
    target: calleeName(target),
    instances: pool.size,
    leftAlone: instances,
    leftAloneLeftOut: alone.length - instances.length,
    budget: { retries: Math.floor(credit), left: Math.max(0, Math.floor(credit - spent)) },
    breakers: told.map(breakerOf),
    breakersLeftOut: all.length - told.length,
  };
}

function instanceOf({ instance, standing, failures }: Member, nowMs: number): InstanceReport | undefined {
  const forMs = 'untilMs' in standing ? Math.max(0, Math.round(standing.untilMs - nowMs)) : 0;
  const told = { instance: memberKey(instance), forMs, failures };
  switch (standing.kind) {
    case 'in':
      return undefined;
    case 'aside':
      return forMs === 0 ? undefined : { ...told, state: 'turned-away' };
    case 'ejected':
      return { ...told, state: forMs === 0 ? 'probing' : 'ejected' };
    case 'probing':
      return { ...told, state: 'probing' };
  }
}

function breakerOf({ route, path, state, refusesForMs }: BreakerReading): BreakerReport {
  return {
    ...(route !== undefined && { route }),
    ...(path !== undefined && { path: excerpt(path, PATH_CHARACTERS_MAX) }),
    state,
    forMs: Math.round(refusesForMs),
  };
}

function isTroubled({ leftAlone, budget, breakers }: TargetReport): boolean {
  return leftAlone.length > 0 || budget.left === 0 || breakers.some(({ state }) => state !== 'closed');
}

function worstFirst<T>(all: readonly T[], isBad: (one: T) => boolean, max: number): readonly T[] {
  return [...all.filter(isBad), ...all.filter((one) => !isBad(one))].slice(0, max);
}
