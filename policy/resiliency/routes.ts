// Which route of a target a call is on: of those that it fits, the most specific one.
import { err, ok, type Result } from '../../kit/result.ts';
import { coveredMethods, grpcPattern } from '../access/rule.ts';
import { NameIndex } from '../match/names.ts';
import { PathIndex } from '../match/paths.ts';
import { exactSegments } from '../match/readings.ts';
import { EVERY_PATH, parseTemplate, type Template } from '../match/template.ts';
import type { RoutedCall, RoutePlan, Routes } from './plan.ts';

/** What a route is about, as it is written, and what holds there. */
export interface WrittenRoute {
  readonly methods: readonly string[] | undefined;
  readonly paths: readonly string[] | undefined;
  readonly grpc: readonly string[] | undefined;
  readonly plan: RoutePlan;
}

interface Way {
  readonly methods: ReadonlySet<string> | undefined;
  /** How narrow the template is that led here; the larger counts. */
  readonly weight: number;
  readonly plan: RoutePlan;
}

/** Routes of equal weight go by their order. */
export function routesOf(written: readonly WrittenRoute[], otherwise: RoutePlan): Result<Routes> {
  if (written.length === 0) return ok({ of: () => otherwise });
  const table = new RouteTable(otherwise);
  for (const route of written) {
    const added = table.add(route);
    if (!added.ok) return err(`route ${route.plan.name}: ${added.error}`);
  }
  return ok(table);
}

class RouteTable implements Routes {
  readonly #otherwise: RoutePlan;
  readonly #paths = new PathIndex<Way[]>();
  readonly #methods = new NameIndex<Way[]>();
  // Used again for each call.
  readonly #found: Way[][] = [];

  constructor(otherwise: RoutePlan) {
    this.#otherwise = otherwise;
  }

  add({ methods, paths, grpc, plan }: WrittenRoute): Result<undefined> {
    for (const pattern of grpc ?? []) {
      const weight = pattern.replaceAll('*', '').length + (pattern.includes('*') ? 0 : 1000);
      this.#methods.at(fullName(pattern), () => []).push({ methods: undefined, weight, plan });
    }
    if (grpc !== undefined) return ok(undefined);
    const covered = methods && coveredMethods(methods);
    for (const template of paths?.map(parseTemplate) ?? [ok(EVERY_PATH)]) {
      if (!template.ok) return template;
      const weight = weightOf(template.value) + (covered === undefined ? 0 : 1);
      this.#paths.at(template.value, () => []).push({ methods: covered, weight, plan });
    }
    return ok(undefined);
  }

  of({ kind, method, path }: RoutedCall): RoutePlan {
    if (kind === 'grpc') this.#methods.find(path.slice(1), this.#found);
    else this.#paths.find(exactSegments(path, this.#paths.segmentsNeeded), this.#found);
    let best: Way | undefined;
    for (const ways of this.#found)
      for (const way of ways) {
        const fits = way.methods === undefined || way.methods.has(kind === 'tunnel' ? 'GET' : method);
        if (fits && way.weight > (best?.weight ?? -1)) best = way;
      }
    this.#found.length = 0;
    return best?.plan ?? this.#otherwise;
  }
}

/** A star stands for no slash; patterns with a star on both sides of it are found all the same, as names hold one slash. */
function fullName(pattern: string): string {
  const { service, method } = grpcPattern(pattern);
  return `${service}/${method}`;
}

/** A whole path is narrower than an open one; then it is narrower the more of its segments are given. */
function weightOf({ steps, isOpen }: Template): number {
  const given = steps.filter((step) => step !== undefined).length;
  return (isOpen ? 0 : 100_000) + given * 200 + steps.length * 2;
}
