// What the far side may send before it hears from us (RFC 9113, section 5.2).
//
// Credit of the connection returns when bytes arrive: it bounds what is under way, and no stream that nobody reads can
// use it up. Credit of a stream returns when its receiver has taken the bytes: it bounds what we hold. A stream begins
// with a small window, and grows while its receiver keeps up, inside one budget of the process.

/** A body of 64 KiB and what frames it: with a few bytes less its end would wait for credit, a round trip for nothing. */
export const STREAM_WINDOW_BYTES = 80 * 1024;
export const STREAM_WINDOW_BYTES_MAX = 1024 * 1024;
export const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
const PROCESS_BUDGET_BYTES = 32 * 1024 * 1024;

/** What all streams together may have grown by. */
export class WindowBudget {
  #leftBytes: number;

  constructor(bytes: number) {
    this.#leftBytes = bytes;
  }

  get leftBytes(): number {
    return this.#leftBytes;
  }

  /** As much of it as there is. */
  take(bytes: number): number {
    const taken = Math.min(bytes, this.#leftBytes);
    this.#leftBytes -= taken;
    return taken;
  }

  giveBack(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

/** Shared by all connections of the process. */
export const PROCESS_WINDOW_BUDGET = new WindowBudget(PROCESS_BUDGET_BYTES);

/** The window that the far side has for the whole connection. */
export class ConnectionWindow {
  readonly #bytes: number;
  #left: number;

  /** `announced`: what it has before we grant more. */
  constructor(bytes: number, announced: number) {
    this.#bytes = bytes;
    this.#left = announced;
  }

  /** Whether it had the right to send them. */
  receive(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** The credit to send now; 0 while half of the window is open, so that few frames of credit are sent. */
  due(): number {
    if (this.#left > this.#bytes / 2) return 0;
    const credit = this.#bytes - this.#left;
    this.#left = this.#bytes;
    return credit;
  }
}

/** The window of one stream, kept inside the stream's own object: `granted` is how large it has grown. */
export interface StreamWindow {
  /** What the far side may still send. */
  windowLeft: number;
  /** Its size when nothing is under way. */
  windowBytes: number;
  /** What its receiver has taken and the far side has not heard of. */
  windowOwed: number;
}

/** Grows a window that its receiver keeps open: twice the size, as far as the budget goes. */
export function growWindow(window: StreamWindow, budget: WindowBudget): void {
  const wanted = Math.min(window.windowBytes, STREAM_WINDOW_BYTES_MAX - window.windowBytes);
  if (wanted <= 0) return;
  const grown = budget.take(wanted);
  window.windowBytes += grown;
  window.windowOwed += grown;
}

export function releaseWindow(window: StreamWindow, budget: WindowBudget): void {
  if (window.windowBytes > STREAM_WINDOW_BYTES) budget.giveBack(window.windowBytes - STREAM_WINDOW_BYTES);
  window.windowBytes = 0;
}
