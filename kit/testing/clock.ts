// For tests: a clock that stands still until it is told to move.
import type { Cancel, Clock } from '../clock.ts';

export interface ManualClock extends Clock {
  /** Runs what falls due on the way, in order, each at its own moment. */
  advance(ms: number): void;
  /** When the tasks that wait are due, in milliseconds from now, soonest first. */
  waiting(): readonly number[];
}

/** Starts at the real time, so that certificates made now are in force. */
export function manualClock(startMs = Date.now()): ManualClock {
  let now = startMs;
  let tasks: { readonly dueMs: number; readonly run: () => void }[] = [];
  function after(delayMs: number, run: () => void): Cancel {
    const task = { dueMs: now + delayMs, run };
    tasks.push(task);
    return () => {
      tasks = tasks.filter((other) => other !== task);
    };
  }
  return {
    now: () => now,
    elapsed: () => now - startMs,
    after,
    advance(ms) {
      const endMs = now + ms;
      for (;;) {
        const next = tasks.toSorted((a, b) => a.dueMs - b.dueMs)[0];
        if (!next || next.dueMs > endMs) break;
        tasks = tasks.filter((other) => other !== next);
        now = Math.max(now, next.dueMs);
        next.run();
      }
      now = endMs;
    },
    waiting: () => tasks.map((task) => task.dueMs - now).sort((a, b) => a - b),
  };
}
