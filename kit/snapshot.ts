// One writer, many readers: the current version of something that changes whole (certificates, anchors, policies).
import type { Cancel } from './clock.ts';

export interface Snapshot<T> {
  current(): T;
  /** Calls `listener` after each change, until cancelled. */
  changed(listener: (value: T) => void): Cancel;
}

export interface WritableSnapshot<T> extends Snapshot<T> {
  set(value: T): void;
}

export function snapshot<T>(initial: T): WritableSnapshot<T> {
  let value = initial;
  const listeners = new Set<(value: T) => void>();
  return {
    current: () => value,
    changed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(next) {
      value = next;
      for (const listener of [...listeners]) listener(next);
    },
  };
}
