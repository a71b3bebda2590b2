// What a list of clauses asks of one thing about a call, its method or a segment of its path: some ask for a value, others take
// any. Put side by side, such columns tell which clauses a call fits by what their sets have in common.
import { type Bits, lowestOf, NONE, SparseBits } from './bits.ts';

/** Some clauses of a column: those that ask for the value at hand, and those that take it like any other. */
export interface Fitting {
  readonly asking: SparseBits;
  readonly taking: SparseBits;
}

export class Column {
  readonly #taking = new SparseBits();
  readonly #byValue = new Map<string, Fitting>();
  readonly #otherValues: Fitting = { asking: new SparseBits(), taking: this.#taking };

  /** The numbers of clauses rise from one to the next. */
  ask(value: string, clause: number): void {
    const known = this.#byValue.get(value);
    const fitting = known ?? { asking: new SparseBits(), taking: this.#taking };
    if (known === undefined) this.#byValue.set(value, fitting);
    fitting.asking.add(clause);
  }

  take(clause: number): void {
    this.#taking.add(clause);
  }

  fitting(value: string): Fitting {
    return this.#byValue.get(value) ?? this.#otherValues;
  }
}

/** The first clause that is wanted and in all columns. Begins where the fewest are, and looks no further than it has to. */
export function firstInAll(columns: readonly Fitting[], wanted: Bits): number {
  let fewest = columns[0];
  if (fewest === undefined) return NONE;
  for (const column of columns) if (extent(column) < extent(fewest)) fewest = column;
  const asking = firstAmong(fewest.asking.words, columns, wanted, NONE);
  return firstAmong(fewest.taking.words, columns, wanted, asking);
}

function extent({ asking, taking }: Fitting): number {
  return asking.words.length + taking.words.length;
}

function firstAmong(words: readonly number[], columns: readonly Fitting[], wanted: Bits, best: number): number {
  for (const word of words) {
    if (word << 5 > best) return best;
    let bits = wanted[word] ?? 0;
    for (const { asking, taking } of columns) {
      if (bits === 0) break;
      bits &= asking.at(word) | taking.at(word);
    }
    if (bits !== 0) return Math.min(best, lowestOf(word, bits));
  }
  return best;
}
