// Sets of small whole numbers as bits, 32 to a word, so that what several sets have in common is found a word at a time.

/** Of a size that is known; every word of it is there. */
export type Bits = Uint32Array;

/** No number of a set, and still a place that a list can be asked for. */
export const NONE = 2 ** 30 - 1;

export function newBits(size: number): Bits {
  return new Uint32Array(Math.ceil(size / 32));
}

export function addBit(bits: Bits, number: number): void {
  bits[number >> 5] = (bits[number >> 5] ?? 0) | (1 << (number & 31));
}

/** The lowest number of a word of a set; the word holds one. */
export function lowestOf(word: number, bits: number): number {
  return (word << 5) + 31 - Math.clz32(bits & -bits);
}

/** Keeps only the words that hold something: there may be as many sets as there are numbers. */
export class SparseBits {
  /** Which words there are, rising. */
  readonly words: number[] = [];
  readonly #bits = new Map<number, number>();

  /** Numbers come in rising order. */
  add(number: number): void {
    const word = number >> 5;
    const known = this.#bits.get(word);
    if (known === undefined) this.words.push(word);
    this.#bits.set(word, (known ?? 0) | (1 << (number & 31)));
  }

  at(word: number): number {
    return this.#bits.get(word) ?? 0;
  }
}
