// Which field names and values may be on the wire at all: the strict reading of RFC 9110 (5.1, 5.5) and RFC 9113 (8.2.1).
//
// HTTP/1.1 and HTTP/2 share these rules, so that no message can mean one thing to a peer and another to the app behind it:
// a line break in a value would be a second field there, and a letter in upper case or an odd byte in a name is what two
// parsers read in two ways.
import type { Fields } from './message.ts';

/** What is wrong with a field: a label for logs and counters. */
export type FieldFlaw = 'field-name' | 'field-value';

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Looked for, and not the opposite matched: a long value takes a third of the time. */
const NEVER_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const TAB = 0x09;
const SPACE = 0x20;

/** A token in lower case. */
export function isFieldName(name: string): boolean {
  return NAME.test(name);
}

/** One character per byte; no control byte but the tab, and no blank at either end. What is beyond a byte is refused too. */
export function isFieldValue(value: string): boolean {
  if (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1))) return false;
  return !NEVER_IN_VALUE.test(value);
}

/** The first flaw in a list, or undefined. */
export function flawIn(fields: Fields): FieldFlaw | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    if (!isFieldName(fields[i] ?? '')) return 'field-name';
    if (!isFieldValue(fields[i + 1] ?? '')) return 'field-value';
  }
  return undefined;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
