// The encoder's side of the dynamic table: where a field, or at least its name, stands.
import { DynamicTable, type TableEntry } from './dynamic-table.ts';
import { type KnownName, type KnownNames, NEW_NAME } from './indexing.ts';
import { STATIC_COUNT } from './static-table.ts';

/** No index. Indices and numbers begin at 1. */
export const NONE = 0;

/** What the encoder knows of a name, and which fields of that name are in the table: by number, since indices move. */
export interface NameInTable extends KnownName {
  newest: number;
  newestValue: string;
  /** By value; most names have only one. */
  older: Map<string, number> | undefined;
}

export class EncoderTable {
  readonly #table: DynamicTable<TableEntry>;
  readonly #known: KnownNames;
  /** Those that were known from the start and have been asked for, and those that have a field in the table. */
  readonly #names = new Map<string, NameInTable>();

  constructor(bytesMax: number, known: KnownNames) {
    this.#table = new DynamicTable(bytesMax, (entry, number) => this.#forget(entry, number));
    this.#known = known;
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

  /** Undefined of a name that means nothing here. */
  name(name: string): NameInTable | undefined {
    const found = this.#names.get(name);
    if (found !== undefined) return found;
    const known = this.#known.get(name);
    return known === undefined ? undefined : this.#add(name, known);
  }

  /** The index of a field in either table. */
  indexOf(name: NameInTable, value: string): number {
    const inStatic = name.inStatic?.values.get(value);
    if (inStatic !== undefined) return inStatic;
    if (name.newest === NONE) return NONE;
    if (name.newestValue === value) return this.#indexOf(name.newest);
    const number = name.older?.get(value);
    return number === undefined ? NONE : this.#indexOf(number);
  }

  /** The index of some field of that name. */
  indexOfName(name: NameInTable): number {
    if (name.inStatic !== undefined) return name.inStatic.index;
    return name.newest === NONE ? NONE : this.#indexOf(name.newest);
  }

  /** Of a field that is not in it, and is no larger than it. */
  insert(name: string, value: string): void {
    this.#table.insert({ name, value });
    const inTable = this.#names.get(name) ?? this.#add(name, NEW_NAME);
    if (inTable.newest !== NONE) {
      inTable.older ??= new Map();
      inTable.older.set(inTable.newestValue, inTable.newest);
    }
    inTable.newest = this.#table.inserted;
    inTable.newestValue = value;
  }

  #add(name: string, known: KnownName): NameInTable {
    const { indexing, inStatic } = known;
    const inTable = { indexing, inStatic, newest: NONE, newestValue: '', older: undefined };
    this.#names.set(name, inTable);
    return inTable;
  }

  /** The newest field of a name is the last to go. */
  #forget({ name, value }: TableEntry, number: number): void {
    const inTable = this.#names.get(name);
    if (inTable?.newest !== number) {
      inTable?.older?.delete(value);
      return;
    }
    inTable.newest = NONE;
    inTable.newestValue = '';
    inTable.older = undefined;
    if (!this.#known.has(name)) this.#names.delete(name);
  }

  #indexOf(number: number): number {
    return STATIC_COUNT + 1 + this.#table.inserted - number;
  }
}
