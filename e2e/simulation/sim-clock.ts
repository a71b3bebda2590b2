// A clock that leaps from one event to the next: tasks in a heap, by when they are due, and of those due together the first
// to have been scheduled.
import type { Cancel, Clock } from '../../kit/clock.ts';

interface Task {
  readonly dueMs: number;
  readonly number: number;
  run: (() => void) | undefined;
}

export class SimClock implements Clock {
  #nowMs = 0;
  #number = 0;
  readonly #heap: Task[] = [];

  now(): number {
    return this.#nowMs;
  }

  elapsed(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Cancel {
    const task: Task = { dueMs: this.#nowMs + Math.max(delayMs, 0), number: this.#number++, run };
    this.#push(task);
    return () => {
      task.run = undefined;
    };
  }

  /** Runs all that is due up to then. */
  runUntil(endMs: number): void {
    for (let task = this.#heap[0]; task !== undefined && task.dueMs <= endMs; task = this.#heap[0]) {
      this.#pop();
      this.#nowMs = task.dueMs;
      task.run?.();
    }
    this.#nowMs = endMs;
  }

  #push(task: Task): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isSooner(task, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = task;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      const sibling = heap[below + 1];
      if (child !== undefined && sibling !== undefined && isSooner(sibling, child)) {
        child = sibling;
        below++;
      }
      if (child === undefined || !isSooner(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

function isSooner(a: Task, b: Task): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.number < b.number);
}
