// Which rules are about a caller: found by trust domain, namespace and app id.
import type { Identity } from '../../api/ids.ts';
import { NameIndex } from '../match/names.ts';
import type { CallerPattern } from './rule.ts';

/** Rules by their rank. */
type Ranks = number[];
type Apps = NameIndex<Ranks>;
type Namespaces = NameIndex<Apps>;

export class CallerIndex {
  readonly #byTrustDomain = new Map<string, Namespaces>();
  readonly #aboutEverybody: Ranks = [];

  constructor(callersByRank: readonly (readonly CallerPattern[] | undefined)[]) {
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

  /** Lists of ranks, in no order that means anything. */
  rulesAbout({ trustDomain, namespace, app }: Identity): readonly Ranks[] {
    const namespaces: Apps[] = [];
    this.#byTrustDomain.get(trustDomain)?.find(namespace, namespaces);
    const found: Ranks[] = [this.#aboutEverybody];
    for (const apps of namespaces) apps.find(app, found);
    return found;
  }
}
