// Finds what is kept under a name or under patterns that the name fits. Names are found by a map; patterns by what they begin
// with, so that only those are looked at which may fit.
import { type Glob, matchesGlob, parseGlob } from './glob.ts';

interface Patterned<Value> {
  readonly pattern: string;
  readonly glob: Glob;
  readonly value: Value;
}

export class NameIndex<Value> {
  readonly #exact = new Map<string, Value>();
  readonly #byHead = new Map<string, Patterned<Value>[]>();
  /** Of the heads, each once, rising. */
  #headLengths: readonly number[] = [];

  /** What is kept under the name or the pattern; made if there is nothing yet. */
  at(pattern: string, make: () => Value): Value {
    if (!pattern.includes('*')) return this.#atName(pattern, make);
    const glob = parseGlob(pattern);
    const siblings = this.#byHead.get(glob.head) ?? [];
    const known = siblings.find((entry) => entry.pattern === pattern);
    if (known !== undefined) return known.value;
    const value = make();
    this.#byHead.set(glob.head, [...siblings, { pattern, glob, value }]);
    this.#headLengths = [...new Set([...this.#headLengths, glob.head.length])].sort((a, b) => a - b);
    return value;
  }

  #atName(name: string, make: () => Value): Value {
    const known = this.#exact.get(name);
    if (known !== undefined) return known;
    const value = make();
    this.#exact.set(name, value);
    return value;
  }

  /** Adds all that the name leads to, in no order that means anything. */
  find(name: string, found: Value[]): void {
    const exact = this.#exact.get(name);
    if (exact !== undefined) found.push(exact);
    for (const length of this.#headLengths) {
      if (length > name.length) return;
      const entries = this.#byHead.get(length === 0 ? '' : name.slice(0, length));
      if (entries === undefined) continue;
      for (const entry of entries) if (matchesGlob(entry.glob, name)) found.push(entry.value);
    }
  }
}
