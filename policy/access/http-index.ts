// Finds the first of many clauses about HTTP that a call fits. However they are made up, a decision costs no more than a few steps
// for each segment of the path and each 32 clauses, and for most of them far less.
import { type Bits, NONE, SparseBits } from '../match/bits.ts';
import { Column, type Fitting, firstInAll } from '../match/columns.ts';
import type { Template } from '../match/template.ts';
import { type Ranked, rankedClauses } from './clause-ranks.ts';

/** One template of a rule. */
export interface HttpClause {
  /** The rule's. Clauses come in the order of their rules. */
  readonly rank: number;
  /** Undefined: every method. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly template: Template;
}

export class HttpIndex {
  readonly ranked: Ranked;
  readonly #depth: number;
  readonly #methods = new Column();
  /** For each place in a path, of segments that are there; and of the empty one, which a trailing slash leaves. */
  readonly #places: readonly Column[];
  readonly #endings: readonly Column[];
  /** By how many segments a path has. */
  readonly #lengths: readonly Fitting[];
  // Used again for each call.
  readonly #columns: Fitting[] = [];

  constructor(clauses: readonly HttpClause[]) {
    this.ranked = rankedClauses(clauses);
    this.#depth = clauses.reduce((depth, { template }) => Math.max(depth, template.steps.length), 0);
    this.#places = Array.from({ length: this.#depth }, () => new Column());
    this.#endings = Array.from({ length: this.#depth }, () => new Column());
    this.#lengths = Array.from({ length: this.#depth + 2 }, () => ({
      asking: new SparseBits(),
      taking: new SparseBits(),
    }));
    for (const [number, clause] of clauses.entries()) this.#add(number, clause);
  }

  #add(number: number, { methods, template: { steps, isOpen } }: HttpClause): void {
    if (methods === undefined) this.#methods.take(number);
    else for (const method of methods) this.#methods.ask(method, number);
    for (let place = 0; place < this.#depth; place++) {
      const step = steps[place];
      if (step !== undefined) (step === '' ? this.#endings : this.#places)[place]?.ask(step, number);
      else if (place < steps.length) this.#places[place]?.take(number);
      else if (isOpen) for (const columns of [this.#places, this.#endings]) columns[place]?.take(number);
    }
    for (let length = steps.length; length < this.#lengths.length; length++) {
      if (isOpen) this.#lengths[length]?.taking.add(number);
      else if (length === steps.length) this.#lengths[length]?.asking.add(number);
    }
  }

  /** So many segments of a path are enough to judge it: with more than that, only open templates fit. */
  get segmentsNeeded(): number {
    return this.#depth + 1;
  }

  /** The rank, or `NONE`. */
  first(wanted: Bits, method: string, segments: readonly string[]): number {
    const columns = this.#columns;
    columns.length = 0;
    const length = this.#lengths[Math.min(segments.length, this.#depth + 1)];
    if (length === undefined) return NONE;
    columns.push(length, this.#methods.fitting(method));
    for (let place = 0; place < this.#depth; place++) {
      const segment = segments[place];
      if (segment === undefined) break;
      const column = (segment === '' ? this.#endings : this.#places)[place];
      if (column !== undefined) columns.push(column.fitting(segment));
    }
    const clause = firstInAll(columns, wanted);
    return this.ranked.ranks[clause] ?? NONE;
  }
}
