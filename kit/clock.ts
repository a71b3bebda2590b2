// Time as a parameter: parts take a Clock, so that tests and simulations decide what time it is.

/** Takes back what was scheduled; harmless when it already ran. */
export type Cancel = () => void;

export interface Clock {
  /** Wall clock in epoch milliseconds: for certificates and for what people read. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start: for latencies and deadlines. */
  elapsed(): number;
  /** Runs `task` once, `delayMs` from now. A waiting task does not keep the process alive. */
  after(delayMs: number, task: () => void): Cancel;
}

/** The longest delay that setTimeout takes; it turns a longer one into 1 ms. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(delayMs, task) {
    let timer = schedule(delayMs);
    function schedule(leftMs: number): NodeJS.Timeout {
      const stepMs = Math.min(Math.max(leftMs, 0), TIMEOUT_MAX_MS);
      const step = setTimeout(() => {
        if (leftMs > stepMs) timer = schedule(leftMs - stepMs);
        else task();
      }, stepMs);
      return step.unref();
    }
    return () => clearTimeout(timer);
  },
};

/** Runs `task` every `periodMs` until cancelled; the next period starts when the task returns. */
export function every(clock: Clock, periodMs: number, task: () => void): Cancel {
  let cancelled = false;
  let cancel = clock.after(periodMs, tick);
  function tick(): void {
    task();
    if (!cancelled) cancel = clock.after(periodMs, tick);
  }
  return () => {
    cancelled = true;
    cancel();
  };
}

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}

/** What the work comes to, or `late` when that takes longer. The work goes on all the same, and nobody hears of it. */
export function within<T>(clock: Clock, timeoutMs: number, work: Promise<T>, late: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => resolve(late));
    work.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
