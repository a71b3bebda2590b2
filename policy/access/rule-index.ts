// Finds the first of many rules that matches a call, without looking at those that cannot: rules of one action, in their order.
//
// Rules that allow are compared with a path as it is written; rules that deny, broadly (match/readings.ts). Those of a policy
// that says `encodedSlash: literal` have a tree of their own, as they see the path in its own reading alone.
import type { Identity } from '../../api/ids.ts';
import { NameIndex } from '../match/names.ts';
import { PathIndex } from '../match/paths.ts';
import { broadTemplates } from '../match/readings.ts';
import type { Template } from '../match/template.ts';
import { CallerIndex, holds, type RuleSet } from './callers.ts';
import type { GrpcOperation, HttpOperation, Rule } from './rule.ts';

/** Beyond all ranks, and still a place that a list can be asked for. */
export const NO_RULE = 2 ** 30 - 1;

/** A part of a rule. */
interface Clause {
  readonly rank: number;
  readonly methods: ReadonlySet<string> | undefined;
}

export class RuleIndex {
  readonly size: number;
  readonly #isBroad: boolean;
  readonly #callers: CallerIndex;
  /** Rules about every operation. */
  readonly #every: number[] = [];
  readonly #paths = new PathIndex<Clause[]>();
  readonly #literalPaths = new PathIndex<Clause[]>();
  readonly #services = new NameIndex<NameIndex<number[]>>();
  // Used again for each call.
  readonly #clausesFound: Clause[][] = [];
  readonly #servicesFound: NameIndex<number[]>[] = [];
  readonly #methodsFound: number[][] = [];

  /** The rank of a rule is its place in the list. */
  constructor(rules: readonly Rule[], isBroad: boolean) {
    this.size = rules.length;
    this.#isBroad = isBroad;
    this.#callers = new CallerIndex(rules.map(({ from }) => from));
    for (const [rank, rule] of rules.entries()) this.#add(rank, rule);
  }

  #add(rank: number, { to, isLiteral }: Rule): void {
    if (to === undefined) this.#every.push(rank);
    else
      for (const operation of to) {
        if (operation.kind === 'grpc') this.#addGrpc(rank, operation);
        else this.#addHttp(rank, operation, isLiteral ? this.#literalPaths : this.#paths);
      }
  }

  #addHttp(rank: number, { methods, templates }: HttpOperation, paths: PathIndex<Clause[]>): void {
    for (const template of templates) {
      for (const spelled of this.#spellings(template)) paths.at(spelled, () => []).push({ rank, methods });
    }
  }

  #spellings(template: Template): readonly Template[] {
    return this.#isBroad ? broadTemplates(template) : [template];
  }

  #addGrpc(rank: number, { patterns }: GrpcOperation): void {
    for (const { service, method } of patterns) {
      const methods = this.#services.at(this.#spelled(service), () => new NameIndex());
      methods.at(this.#spelled(method), () => []).push(rank);
    }
  }

  #spelled(name: string): string {
    return this.#isBroad ? name.toLowerCase() : name;
  }

  /** How much of an exact path there is to give. */
  get segmentsNeeded(): number {
    return Math.max(this.#paths.segmentsNeeded, this.#literalPaths.segmentsNeeded);
  }

  /** The rank, or `NO_RULE`. `literal` is the path's own reading, and `reading` the one that is asked about. */
  findHttp(caller: Identity, method: string, reading: readonly string[], literal: readonly string[]): number {
    const about = this.#callers.rulesAbout(caller);
    let first = firstOf(this.#every, about, NO_RULE);
    this.#paths.find(reading, this.#clausesFound);
    this.#literalPaths.find(literal, this.#clausesFound);
    for (const clauses of this.#clausesFound) first = firstClauseOf(clauses, method, about, first);
    this.#clausesFound.length = 0;
    return first;
  }

  findGrpc(caller: Identity, service: string, method: string): number {
    const about = this.#callers.rulesAbout(caller);
    let first = firstOf(this.#every, about, NO_RULE);
    this.#services.find(this.#spelled(service), this.#servicesFound);
    for (const methods of this.#servicesFound) methods.find(this.#spelled(method), this.#methodsFound);
    for (const ranks of this.#methodsFound) first = firstOf(ranks, about, first);
    this.#servicesFound.length = 0;
    this.#methodsFound.length = 0;
    return first;
  }
}

/** Ranks rise, so the first that fits is the best of its list. */
function firstOf(ranks: readonly number[], about: RuleSet, best: number): number {
  for (const rank of ranks) {
    if (rank >= best) return best;
    if (holds(about, rank)) return rank;
  }
  return best;
}

function firstClauseOf(clauses: readonly Clause[], method: string, about: RuleSet, best: number): number {
  for (const { rank, methods } of clauses) {
    if (rank >= best) return best;
    if (holds(about, rank) && (methods === undefined || methods.has(method))) return rank;
  }
  return best;
}
