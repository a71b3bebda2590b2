// Which of many patterns a name fits. What was found for a name is remembered: a server has few names and is called by them again
// and again. Names are made up by callers, so there is an end to how many are remembered, and how long they may be.
import { addBit, type Bits, newBits } from './bits.ts';
import { NameIndex } from './names.ts';

const REMEMBERED_MAX = 256;
const NAME_LENGTH_MAX = 256;

export class NameSets {
  readonly #index = new NameIndex<number[]>();
  readonly #size: number;
  readonly #remembered = new Map<string, Bits>();

  constructor(patterns: readonly string[]) {
    this.#size = patterns.length;
    for (const [number, pattern] of patterns.entries()) this.#index.at(pattern, () => []).push(number);
  }

  /** The places of the patterns in the list. */
  fitting(name: string): Bits {
    const known = this.#remembered.get(name);
    if (known !== undefined) return known;
    const found = this.#find(name);
    if (name.length > NAME_LENGTH_MAX) return found;
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(name, found);
    return found;
  }

  #find(name: string): Bits {
    const found: number[][] = [];
    this.#index.find(name, found);
    const bits = newBits(this.#size);
    for (const numbers of found) for (const number of numbers) addBit(bits, number);
    return bits;
  }
}
