// Reads an object out of JSON by a table of its fields. For what a program reads once, as it starts, and that a library of
// schemas would take longer to load for than all the rest takes.
import { err, ok, type Result } from './result.ts';

/** What a field holds, or what is wrong with it. Undefined: the field is not there. */
export type Reader<T> = (value: unknown) => Result<T>;

export type Readers<T> = { readonly [K in keyof T]-?: Reader<T[K]> };

/** The fields of the table and no others, or each mistake after its field's name. */
export function readRecord<T extends object>(readers: Readers<T>, value: unknown): Result<T, readonly string[]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return err(['it is no object']);
  const given = new Map(Object.entries(value));
  const record: Partial<T> = {};
  const mistakes: string[] = [];
  for (const name in readers) {
    const read = readers[name](given.get(name));
    if (!read.ok) mistakes.push(`${name}: ${read.error}`);
    else if (read.value !== undefined) record[name] = read.value;
  }
  // Every reader has had its say, so no field is missing.
  return mistakes.length > 0 ? err(mistakes) : ok(record as T);
}

export const text: Reader<string> = (value) => (typeof value === 'string' ? ok(value) : not('a text', value));

export const truth: Reader<boolean> = (value) => (typeof value === 'boolean' ? ok(value) : not('true or false', value));

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? ok(value)
      : not(
          max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min} on` : `a whole number from ${min} to ${max}`,
          value,
        );
}

/** A text that one of our parsers takes, with its type and its complaint. */
export function parsedBy<T>(parse: (text: string) => Result<T>): Reader<T> {
  return (value) => {
    const read = text(value);
    return read.ok ? parse(read.value) : read;
  };
}

export const texts: Reader<readonly string[]> = (value) =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') ? ok(value) : not('a list of texts', value);

/** Each item by the same reader. */
export function list<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) return not('a list', value);
    const items: T[] = [];
    for (const [at, item] of value.entries()) {
      const result = read(item);
      if (!result.ok) return err(`[${at}]: ${result.error}`);
      items.push(result.value);
    }
    return ok(items);
  };
}

/** A record within a record. */
export function record<T extends object>(readers: Readers<T>): Reader<T> {
  return (value) => {
    const read = readRecord(readers, value);
    return read.ok ? read : err(read.error.join(', '));
  };
}

/** A record in which no other field may stand: one that is not known may say what must not be overlooked. */
export function closedRecord<T extends object>(readers: Readers<T>): Reader<T> {
  return (value) => {
    const given = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    const unknown = given.filter((name) => !Object.hasOwn(readers, name));
    if (unknown.length > 0) return err(`it has fields that are not known here: ${unknown.join(', ')}`);
    return record(readers)(value);
  };
}

/** May be left out. */
export function optional<T>(read: Reader<T>): Reader<T | undefined> {
  return (value) => (value === undefined ? ok(undefined) : read(value));
}

function not(what: string, value: unknown): Result<never> {
  return err(value === undefined ? `it is missing; it has to be ${what}` : `${JSON.stringify(value)} is not ${what}`);
}
