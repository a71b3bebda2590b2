// Field lines of ours as text. Most of them were written before: the names always, the values mostly. So what there is to
// know of a name is looked up once, and each name keeps a line of its own that was found good, ready to be written again
// (bench/http1.bench.ts).
import { isFieldName, isFieldValue } from '../fields.ts';
import { SECRET_NAMES } from '../hpack/indexing.ts';
import type { Fields } from '../message.ts';
import { Known, knownName, owned } from './names.ts';
import { isForbiddenInTrailers } from './trailers.ts';

/** The messages that leave some fields out, as bits: what these say is written by us, or may not be said there. */
export const Writing = { REQUEST: 1, RESPONSE: 2, UPGRADE: 4, TRAILERS: 8 } as const;
export type Writing = (typeof Writing)[keyof typeof Writing];

const NAMES_MAX = 1024;
const NAME_BYTES_MAX = 48;
const KEPT_BYTES_MAX = 64;
/** Of a name whose values are new each time, one in so many is kept; to copy each would cost more than it could save. */
const PASSED_OVER = 32;

/** A name that may be written, and its last line. */
class WrittenName {
  readonly leftOutOf: number;
  readonly #prefix: string;
  readonly #isSecret: boolean;
  #value = '';
  #line = '';
  #passedOver = PASSED_OVER;

  constructor(name: string) {
    this.leftOutOf = leftOutOf(name);
    this.#prefix = `${name}: `;
    this.#isSecret = SECRETS.has(name);
  }

  /** The line with this value, or '' where it may not be written. */
  line(value: string): string {
    if (value === this.#value && this.#line !== '') return this.#line;
    if (!isFieldValue(value)) return '';
    const line = `${this.#prefix}${value}\r\n`;
    if (this.#passedOver++ >= PASSED_OVER) this.#keep(value, line);
    return line;
  }

  /** Not of secrets: how long a comparison takes tells of what was compared, and memory is no place for them. */
  #keep(value: string, line: string): void {
    this.#passedOver = 0;
    if (this.#isSecret || value.length > KEPT_BYTES_MAX) return;
    this.#line = owned(line);
    this.#value = owned(value);
  }
}

const SECRETS = new Set(SECRET_NAMES);
const names = new Map<string, WrittenName>();

/** The lines of those that this message does not leave out, or undefined: one of them may not be written at all. */
export function fieldLines(fields: Fields, writing: Writing): string | undefined {
  let lines = '';
  for (let i = 0; i < fields.length; i += 2) {
    const text = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    const name = names.get(text) ?? newName(text);
    if (name === undefined) return undefined;
    const isLeftOut = (name.leftOutOf & writing) !== 0;
    if (isLeftOut && isFieldValue(value)) continue;
    const line = isLeftOut ? '' : name.line(value);
    if (line === '') return undefined;
    lines += line;
  }
  return lines;
}

/** Undefined of what is no name. When there are too many, which are not ours then, those in use are soon back. */
function newName(text: string): WrittenName | undefined {
  if (!isFieldName(text)) return undefined;
  const name = new WrittenName(text);
  if (text.length > NAME_BYTES_MAX) return name;
  if (names.size >= NAMES_MAX) names.clear();
  names.set(owned(text), name);
  return name;
}

function leftOutOf(name: string): number {
  const trailers = isForbiddenInTrailers(name) ? Writing.TRAILERS : 0;
  switch (knownName(name)) {
    case Known.OTHER:
      return trailers;
    case Known.HOST:
    case Known.EXPECT:
      return trailers | Writing.REQUEST;
    case Known.UPGRADE:
      // Of a response that switches it says to what.
      return trailers | Writing.REQUEST | Writing.RESPONSE;
    default:
      return trailers | Writing.REQUEST | Writing.RESPONSE | Writing.UPGRADE;
  }
}
