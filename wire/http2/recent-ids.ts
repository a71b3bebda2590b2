// The streams that we ended by RST_STREAM a short while ago: what the far side had sent before it heard of that is no error.
export class RecentIds {
  readonly #max: number;
  /** In the order in which they were added. */
  readonly #ids = new Set<number>();

  constructor(max: number) {
    this.#max = max;
  }

  add(id: number): void {
    this.#ids.add(id);
    if (this.#ids.size <= this.#max) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }
}
