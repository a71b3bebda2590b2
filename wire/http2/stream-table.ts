// The streams of a connection that are not closed, by id.
//
// A `Map` in which entries come and go is rebuilt again and again, and keeps those that are gone alive, as kit/roster.ts
// says of a `Set`. Here nothing points to a stream that is gone.

/** A power of two, as is every number of buckets, so that a mask finds the one. */
const BUCKETS_FIRST = 16;

export interface Tabled<Self> {
  readonly id: number;
  /** The next one in the same bucket; the table's own. */
  nextInTable: Self | undefined;
}

export class StreamTable<Stream extends Tabled<Stream>> {
  #buckets: (Stream | undefined)[] = new Array(BUCKETS_FIRST).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    let stream = this.#buckets[this.#place(id)];
    while (stream !== undefined && stream.id !== id) stream = stream.nextInTable;
    return stream;
  }

  /** One that is not in it. */
  add(stream: Stream): void {
    if (this.#size === this.#buckets.length) this.#grow();
    this.#size += 1;
    this.#link(stream);
  }

  delete(stream: Stream): void {
    const place = this.#place(stream.id);
    const first = this.#buckets[place];
    if (first === stream) this.#buckets[place] = stream.nextInTable;
    else if (!isUnlinked(first, stream)) return;
    stream.nextInTable = undefined;
    this.#size -= 1;
  }

  /** A list of its own, in the order of their ids: streams may come and go while it is walked. */
  list(): readonly Stream[] {
    const streams: Stream[] = [];
    for (const first of this.#buckets) {
      for (let stream = first; stream !== undefined; stream = stream.nextInTable) streams.push(stream);
    }
    return streams.sort((a, b) => a.id - b.id);
  }

  /** All ids of a connection that opens streams at one end are odd; those that follow each other are in buckets that do. */
  #place(id: number): number {
    return (id >>> 1) & (this.#buckets.length - 1);
  }

  #link(stream: Stream): void {
    const place = this.#place(stream.id);
    stream.nextInTable = this.#buckets[place];
    this.#buckets[place] = stream;
  }

  #grow(): void {
    const streams = this.list();
    this.#buckets = new Array(this.#buckets.length * 2).fill(undefined);
    for (const stream of streams) this.#link(stream);
  }
}

/** Takes a stream out of the chain that begins with another one; false if it is not in there. */
function isUnlinked<Stream extends Tabled<Stream>>(first: Stream | undefined, stream: Stream): boolean {
  for (let before = first; before !== undefined; before = before.nextInTable) {
    if (before.nextInTable !== stream) continue;
    before.nextInTable = stream.nextInTable;
    return true;
  }
  return false;
}
