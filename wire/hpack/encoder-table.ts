// The encoder's side of the dynamic table: where a field, or at least its name, stands.
import { DynamicTable, type TableEntry } from './dynamic-table.ts';
import { STATIC_COUNT } from './static-table.ts';

/** The entries of one name, by value: their numbers, which stay the same while indices move. */
interface Numbers {
  readonly byValue: Map<string, number>;
  newest: number;
}

/** Not in the table. */
export const NO_INDEX = 0;

export class EncoderTable {
  readonly #table: DynamicTable<TableEntry>;
  readonly #names = new Map<string, Numbers>();

  constructor(bytesMax: number) {
    this.#table = new DynamicTable(bytesMax, (entry, number) => this.#forget(entry, number));
  }

  get generation(): number {
    return this.#table.generation;
  }

  get bytesMax(): number {
    return this.#table.bytesMax;
  }

  resize(bytesMax: number): void {
    this.#table.resize(bytesMax);
  }

  indexOf(name: string, value: string): number {
    const number = this.#names.get(name)?.byValue.get(value);
    return number === undefined ? NO_INDEX : this.#indexOf(number);
  }

  /** Of the newest field of this name. */
  indexOfName(name: string): number {
    const numbers = this.#names.get(name);
    return numbers === undefined ? NO_INDEX : this.#indexOf(numbers.newest);
  }

  /** Of a field that is not in it and is no larger than it. */
  insert(name: string, value: string): void {
    this.#table.insert({ name, value });
    const number = this.#table.inserted;
    const numbers = this.#names.get(name);
    if (numbers === undefined) {
      this.#names.set(name, { byValue: new Map([[value, number]]), newest: number });
    } else {
      numbers.byValue.set(value, number);
      numbers.newest = number;
    }
  }

  /** The newest field of a name is the last to go. */
  #forget({ name, value }: TableEntry, number: number): void {
    const numbers = this.#names.get(name);
    if (numbers?.newest === number) this.#names.delete(name);
    else numbers?.byValue.delete(value);
  }

  #indexOf(number: number): number {
    return STATIC_COUNT + 1 + this.#table.inserted - number;
  }
}
