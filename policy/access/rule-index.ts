// Finds the first of many rules that matches a call, without looking at those that cannot: rules of one action, in their order.
//
// A rule is taken apart into clauses, one for each of its templates and patterns. Which of them are about a caller is found once
// for each caller, and not for each call.
//
// Rules that allow are compared with a path as it is written; rules that deny, broadly (match/readings.ts). Those of a policy that
// says `encodedSlash: literal` have an index of their own, as they see fewer readings of a path.
import type { Identity } from '../../api/ids.ts';
import { addBit, type Bits, newBits } from '../match/bits.ts';
import { broadTemplates } from '../match/readings.ts';
import { EVERY_PATH, type Template } from '../match/template.ts';
import { CallerIndex } from './callers.ts';
import type { Ranked } from './clause-ranks.ts';
import { type GrpcClause, GrpcIndex } from './grpc-index.ts';
import { type HttpClause, HttpIndex } from './http-index.ts';
import type { GrpcPattern, HttpOperation, Rule } from './rule.ts';

/** The clauses that are about a caller; undefined where there are none of that kind. */
export interface About {
  readonly paths: Bits | undefined;
  readonly literalPaths: Bits | undefined;
  readonly grpc: Bits | undefined;
}

const EVERY_METHOD: GrpcPattern = { service: '*', method: '*' };

export class RuleIndex {
  readonly size: number;
  readonly #isBroad: boolean;
  readonly #callers: CallerIndex;
  readonly paths: HttpIndex;
  readonly literalPaths: HttpIndex;
  readonly grpc: GrpcIndex;
  /** A connection has one identity for as long as it is open, and what is known of it goes with it. */
  readonly #known = new WeakMap<Identity, About>();

  /** The rank of a rule is its place in the list. */
  constructor(rules: readonly Rule[], isBroad: boolean) {
    this.size = rules.length;
    this.#isBroad = isBroad;
    this.#callers = new CallerIndex(rules.map(({ from }) => from));
    this.paths = new HttpIndex(rules.flatMap((rule, rank) => (rule.isLiteral ? [] : this.#httpClauses(rule, rank))));
    this.literalPaths = new HttpIndex(
      rules.flatMap((rule, rank) => (rule.isLiteral ? this.#httpClauses(rule, rank) : [])),
    );
    this.grpc = new GrpcIndex(rules.flatMap((rule, rank) => this.#grpcClauses(rule, rank)));
  }

  #httpClauses({ to }: Rule, rank: number): readonly HttpClause[] {
    if (to === undefined) return [{ rank, methods: undefined, template: EVERY_PATH }];
    return to.flatMap((operation) => (operation.kind === 'http' ? this.#clausesOf(operation, rank) : []));
  }

  #clausesOf({ methods, templates }: HttpOperation, rank: number): readonly HttpClause[] {
    const spelled = this.#isBroad ? templates.flatMap(broadTemplates) : templates;
    return spelled.map((template: Template) => ({ rank, methods, template }));
  }

  #grpcClauses({ to }: Rule, rank: number): readonly GrpcClause[] {
    if (to === undefined) return [{ rank, pattern: EVERY_METHOD }];
    return to.flatMap((operation) =>
      operation.kind === 'grpc' ? operation.patterns.map((pattern) => ({ rank, pattern: this.#spelled(pattern) })) : [],
    );
  }

  #spelled({ service, method }: GrpcPattern): GrpcPattern {
    return this.#isBroad ? { service: service.toLowerCase(), method: method.toLowerCase() } : { service, method };
  }

  about(caller: Identity): About {
    const known = this.#known.get(caller);
    if (known !== undefined) return known;
    const rules = this.#callers.rulesAbout(caller).flat();
    const about = {
      paths: clausesOf(rules, this.paths.ranked),
      literalPaths: clausesOf(rules, this.literalPaths.ranked),
      grpc: clausesOf(rules, this.grpc.ranked),
    };
    this.#known.set(caller, about);
    return about;
  }
}

function clausesOf(rules: readonly number[], { ranks, startOf }: Ranked): Bits | undefined {
  let clauses: Bits | undefined;
  for (const rank of rules) {
    const start = startOf.get(rank);
    if (start === undefined) continue;
    clauses ??= newBits(ranks.length);
    for (let clause = start; ranks[clause] === rank; clause++) addBit(clauses, clause);
  }
  return clauses;
}
