// How many calls may be in the app at once: the others wait for their turn, in the order in which they came.

/** A call that waits. */
export interface TurnWaiter {
  /** The turn is its own now, and has to be given back. */
  admitted(): void;
  /** It need not wait any longer: the app is not healthy, and this is why. */
  dropped(why: string): void;
}

/**
 * The bound of the queue. A call that finds so many before it is better off at another instance, or refused at once; and each that
 * waits holds some memory.
 */
const WAITING_MAX = 1024;

export class Turns {
  readonly max: number;
  readonly waitingMax: number;
  readonly #waiting = new Set<TurnWaiter>();
  readonly #told: (waiting: number) => void;
  #taken = 0;
  #isAdmitting = false;

  /** `told` hears how many wait, whenever that changes. */
  constructor(max: number, told: (waiting: number) => void = () => undefined, waitingMax = WAITING_MAX) {
    this.max = max;
    this.waitingMax = waitingMax;
    this.#told = told;
  }

  /** True: the turn is taken, and has to be given back. False: there is none now. */
  take(): boolean {
    if (this.#taken >= this.max) return false;
    this.#taken += 1;
    return true;
  }

  /** False: too many wait already. */
  wait(waiter: TurnWaiter): boolean {
    if (this.#waiting.size >= this.waitingMax) return false;
    this.#waiting.add(waiter);
    this.#told(this.#waiting.size);
    return true;
  }

  leave(waiter: TurnWaiter): void {
    if (this.#waiting.delete(waiter)) this.#told(this.#waiting.size);
  }

  /**
   * To whoever has waited longest, if anybody does. A call may be over as it is admitted, and give its turn back from inside: a
   * whole queue of such calls is gone through here, and not call within call.
   */
  giveBack(): void {
    this.#taken -= 1;
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    try {
      this.#admit();
    } finally {
      this.#isAdmitting = false;
    }
  }

  drop(why: string): void {
    const all = [...this.#waiting];
    this.#waiting.clear();
    if (all.length > 0) this.#told(0);
    for (const waiter of all) waiter.dropped(why);
  }

  #admit(): void {
    while (this.#taken < this.max) {
      const [longest] = this.#waiting;
      if (longest === undefined) return;
      this.leave(longest);
      this.#taken += 1;
      longest.admitted();
    }
  }
}
