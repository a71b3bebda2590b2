// The dynamic table of HPACK (RFC 7541, 2.3.2 and 4): what was said before on this connection, newest first, within a
// number of bytes. A ring: nothing moves when an entry comes or goes.

export interface TableEntry {
  readonly name: string;
  readonly value: string;
}

/** What an entry counts for beside its name and value (RFC 7541, 4.1). */
const ENTRY_BYTES = 32;
/** A power of two, as is every length of the ring, so that a mask finds the place. */
const RING_LENGTH_FIRST = 16;

/** One character is one byte. */
export function entryBytes(name: string, value: string): number {
  return name.length + value.length + ENTRY_BYTES;
}

export class DynamicTable<Entry extends TableEntry> {
  /** Moves with every change: what was said by index before means something else now. */
  generation = 0;
  /** How many entries there have ever been; the newest one's number. */
  inserted = 0;
  #bytes = 0;
  #bytesMax: number;
  #count = 0;
  #ring: (Entry | undefined)[] = [];
  readonly #evicted: (entry: Entry, number: number) => void;

  constructor(bytesMax: number, evicted: (entry: Entry, number: number) => void = () => {}) {
    this.#bytesMax = bytesMax;
    this.#evicted = evicted;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** The newest entry is 0. */
  entry(index: number): Entry | undefined {
    return index < this.#count ? this.#ring[(this.inserted - index) & (this.#ring.length - 1)] : undefined;
  }

  /** Evicts what has to go first. An entry that is larger than the table empties it and is not kept: that is no error. */
  insert(entry: Entry): void {
    this.generation++;
    const bytes = entryBytes(entry.name, entry.value);
    this.#evictTo(this.#bytesMax - bytes);
    if (bytes > this.#bytesMax) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.inserted++;
    this.#count++;
    this.#bytes += bytes;
    this.#ring[this.inserted & (this.#ring.length - 1)] = entry;
  }

  resize(bytesMax: number): void {
    this.generation++;
    this.#bytesMax = bytesMax;
    this.#evictTo(bytesMax);
  }

  #evictTo(bytesMax: number): void {
    while (this.#count > 0 && this.#bytes > bytesMax) {
      const number = this.inserted - --this.#count;
      const place = number & (this.#ring.length - 1);
      const entry = this.#ring[place];
      this.#ring[place] = undefined;
      if (entry === undefined) continue;
      this.#bytes -= entryBytes(entry.name, entry.value);
      this.#evicted(entry, number);
    }
  }

  #grow(): void {
    const before = this.#ring;
    const after = new Array<Entry | undefined>(Math.max(RING_LENGTH_FIRST, before.length * 2)).fill(undefined);
    for (let number = this.inserted - this.#count + 1; number <= this.inserted; number++) {
      after[number & (after.length - 1)] = before[number & (before.length - 1)];
    }
    this.#ring = after;
  }
}
