// What happened in the last while, counted in ten slots, the oldest of which is emptied as time goes on: calls, and those of
// them, or beside them, that are marked.

export const SLOTS = 10;

export class Slots {
  readonly #slotMs: number;
  readonly #calls = new Array<number>(SLOTS).fill(0);
  readonly #marked = new Array<number>(SLOTS).fill(0);
  #slot = 0;
  #slotEndMs: number;
  #used: number;

  /** `used`: how many are taken for having been, though nothing was in them. */
  constructor(slotMs: number, nowMs: number, used = 1) {
    this.#used = used;
    this.#slotMs = slotMs;
    this.#slotEndMs = nowMs + slotMs;
  }

  /** How many slots there have been, up to all. */
  get used(): number {
    return this.#used;
  }

  addCall(nowMs: number): void {
    if (nowMs >= this.#slotEndMs) this.turn(nowMs);
    this.#calls[this.#slot] = this.callsOf(this.#slot) + 1;
  }

  addMarked(nowMs: number): void {
    if (nowMs >= this.#slotEndMs) this.turn(nowMs);
    this.#marked[this.#slot] = this.markedOf(this.#slot) + 1;
  }

  callsOf(slot: number): number {
    return this.#calls[slot] ?? 0;
  }

  markedOf(slot: number): number {
    return this.#marked[slot] ?? 0;
  }

  clear(): void {
    this.#calls.fill(0);
    this.#marked.fill(0);
  }

  /** Empties what has become too old by now. */
  turn(nowMs: number): void {
    if (nowMs < this.#slotEndMs) return;
    const turns = Math.floor((nowMs - this.#slotEndMs) / this.#slotMs) + 1;
    for (let turn = 0; turn < Math.min(turns, SLOTS); turn++) {
      this.#slot = (this.#slot + 1) % SLOTS;
      this.#calls[this.#slot] = 0;
      this.#marked[this.#slot] = 0;
    }
    this.#used = Math.min(this.#used + turns, SLOTS);
    this.#slotEndMs += turns * this.#slotMs;
  }
}
