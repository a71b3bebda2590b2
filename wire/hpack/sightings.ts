// Which fields were met not long ago: a field enters the encoder's table only when it comes a second time, since nobody can
// list all names whose values never repeat (an id in a path, a user in a header). Such heads cost two thirds, here and at the
// peer together, of what they cost if all that is new enters the table (bench/hpack.bench.ts).
//
// It remembers hashes, each in the one place that it has: an old one is forgotten when a new one takes its place, and two
// fields with one hash only mean that one of them enters the table too early.

const PLACES = 128;
/** Of a long value only the front and the length count. */
const HASHED_MAX = 96;

export class Sightings {
  readonly #hashes = new Int32Array(PLACES);

  /** Whether it was met before; from now on it was. */
  meet(name: string, value: string): boolean {
    const hash = hashOf(value, hashOf(name, 0x811c9dc5 | 0));
    const place = hash & (PLACES - 1);
    const isKnown = this.#hashes[place] === hash;
    this.#hashes[place] = hash;
    return isKnown;
  }
}

/** FNV-1a, over characters. */
function hashOf(text: string, seed: number): number {
  let hash = Math.imul(seed ^ text.length, 0x01000193);
  const end = Math.min(text.length, HASHED_MAX);
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
