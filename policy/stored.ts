// Reading what a schema of api/resources/ has read before, where its library is not at hand: a sidecar, which gets policies by the
// feed and loads nothing large. What it does not know is a mistake, as an unknown word may be what narrows a rule.
import { type Reader, type Readers, readRecord, text } from '../kit/record.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';

/** An object with these fields and no other. */
export function only<T extends object>(readers: Readers<T>): Reader<T> {
  const known = Object.keys(readers);
  return (value) => {
    const read = readRecord(readers, value);
    if (!read.ok) return err(read.error.join('; '));
    const unknown = Object.keys(Object(value)).find((name) => !known.includes(name));
    return unknown === undefined ? read : err(`this version does not know ${excerpt(unknown)}`);
  };
}

/** A list of one item or more; an empty one, where that says something. */
export function listOf<T>(read: Reader<T>, min: 0 | 1 = 1): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value)) return err('it has to be a list');
    if (value.length < min) return err('it is an empty list');
    const items: T[] = [];
    for (const [i, written] of value.entries()) {
      const item = read(written);
      if (!item.ok) return err(`[${i}]: ${item.error}`);
      items.push(item.value);
    }
    return ok(items);
  };
}

export function withDefault<T>(read: Reader<T>, initial: T): Reader<T> {
  return (value) => (value === undefined ? ok(initial) : read(value));
}

export function matching(pattern: RegExp): Reader<string> {
  return (value) => {
    const read = text(value);
    return !read.ok || pattern.test(read.value) ? read : err(`"${excerpt(read.value)}" cannot be read`);
  };
}

/** A name of ours, or a pattern of names. */
export const PATTERN = matching(/^[-a-z0-9*]+$/);
export const TRUST_DOMAIN = matching(/^[-._a-z0-9]+$/);

/** Read, if a further rule holds. */
export function provided<T>(read: Reader<T>, holds: (value: T) => boolean, message: string): Reader<T> {
  return (value): Result<T> => {
    const given = read(value);
    return !given.ok || holds(given.value) ? given : err(message);
  };
}
