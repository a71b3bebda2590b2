// Which rules are about a caller: found by trust domain, namespace and app id, once for each caller and not for each call.
import type { Identity } from '../../api/ids.ts';
import { NameIndex } from '../match/names.ts';
import type { CallerPattern } from './rule.ts';

/** Rules by their rank. */
type Ranks = number[];
type Apps = NameIndex<Ranks>;
type Namespaces = NameIndex<Apps>;

/** A bit for each rule, by rank. */
export type RuleSet = Uint32Array;

export class CallerIndex {
  readonly #byTrustDomain = new Map<string, Namespaces>();
  readonly #size: number;
  readonly #aboutEverybody: Ranks = [];
  /** A connection has one identity for as long as it is open, and what is known of it goes with it. */
  readonly #known = new WeakMap<Identity, RuleSet>();

  constructor(callersByRank: readonly (readonly CallerPattern[] | undefined)[]) {
    this.#size = callersByRank.length;
    for (const [rank, callers] of callersByRank.entries()) {
      if (callers === undefined) this.#aboutEverybody.push(rank);
      else for (const caller of callers) this.#ranksOf(caller).push(rank);
    }
  }

  #ranksOf({ trustDomain, namespace, app }: CallerPattern): Ranks {
    const namespaces = this.#byTrustDomain.get(trustDomain) ?? new NameIndex();
    this.#byTrustDomain.set(trustDomain, namespaces);
    return namespaces.at(namespace, () => new NameIndex()).at(app, () => []);
  }

  rulesAbout(caller: Identity): RuleSet {
    const known = this.#known.get(caller);
    if (known !== undefined) return known;
    const rules = this.#find(caller);
    this.#known.set(caller, rules);
    return rules;
  }

  #find({ trustDomain, namespace, app }: Identity): RuleSet {
    const namespaces: Apps[] = [];
    this.#byTrustDomain.get(trustDomain)?.find(namespace, namespaces);
    const found: Ranks[] = [this.#aboutEverybody];
    for (const apps of namespaces) apps.find(app, found);
    const rules = new Uint32Array(Math.ceil(this.#size / 32));
    for (const rank of found.flat()) rules[rank >> 5] = (rules[rank >> 5] ?? 0) | (1 << (rank & 31));
    return rules;
  }
}

export function holds(rules: RuleSet, rank: number): boolean {
  return ((rules[rank >> 5] ?? 0) & (1 << (rank & 31))) !== 0;
}
