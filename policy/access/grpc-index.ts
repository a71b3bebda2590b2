// Finds the first of many clauses about gRPC that a call fits.
import { type Bits, lowestOf, NONE } from '../match/bits.ts';
import { NameSets } from '../match/name-sets.ts';
import { type Ranked, rankedClauses } from './clause-ranks.ts';
import type { GrpcPattern } from './rule.ts';

/** One pattern of a rule. */
export interface GrpcClause {
  /** The rule's. Clauses come in the order of their rules. */
  readonly rank: number;
  readonly pattern: GrpcPattern;
}

export class GrpcIndex {
  readonly ranked: Ranked;
  readonly #services: NameSets;
  readonly #methods: NameSets;

  constructor(clauses: readonly GrpcClause[]) {
    this.ranked = rankedClauses(clauses);
    this.#services = new NameSets(clauses.map(({ pattern }) => pattern.service));
    this.#methods = new NameSets(clauses.map(({ pattern }) => pattern.method));
  }

  /** The rank, or `NONE`. */
  first(wanted: Bits, service: string, method: string): number {
    const services = this.#services.fitting(service);
    const methods = this.#methods.fitting(method);
    for (let word = 0; word < wanted.length; word++) {
      const bits = (wanted[word] ?? 0) & (services[word] ?? 0) & (methods[word] ?? 0);
      if (bits !== 0) return this.ranked.ranks[lowestOf(word, bits)] ?? NONE;
    }
    return NONE;
  }
}
