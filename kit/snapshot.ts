// One writer, many readers: the current version of something that changes whole (certificates, anchors, policies).
import type { Cancel } from './clock.ts';

export interface Snapshot<T> {
  current(): T;
  /**
   * Calls `listener` after each change, until cancelled. A listener may change the value again: then the others hear
   * of the newest version alone.
   */
  changed(listener: (value: T) => void): Cancel;
}

export interface WritableSnapshot<T> extends Snapshot<T> {
  set(value: T): void;
}

export function snapshot<T>(initial: T): WritableSnapshot<T> {
  let value = initial;
  const listeners = new Set<{ readonly listener: (value: T) => void }>();
  return {
    current: () => value,
    changed(listener) {
      const entry = { listener };
      listeners.add(entry);
      return () => listeners.delete(entry);
    },
    set(next) {
      value = next;
      for (const entry of [...listeners]) {
        if (value !== next) return;
        if (listeners.has(entry)) entry.listener(next);
      }
    },
  };
}

/** What is made of another one, once for each of its versions. */
export function derived<T, U>(from: Snapshot<T>, make: (value: T) => U): Snapshot<U> {
  const made = snapshot(make(from.current()));
  from.changed((value) => made.set(make(value)));
  return made;
}
