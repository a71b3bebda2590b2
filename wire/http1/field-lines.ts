// Field lines (RFC 9112, section 5), in one pass. What two readers could read in two ways is refused: folded
// lines, blanks before the colon, bare CR or LF, control bytes.
import { COLON, CR, isValueByte, LF, SPACE, TAB, TOKEN } from './bytes.ts';
import { hashByte, Known, type Name, nameIn } from './names.ts';

/** Takes each field, in order. */
export interface FieldTaker {
  field(name: Name, value: string): void;
}

/** A line that was found well formed, with its CRLF. */
export interface ReadLine {
  readonly name: Name;
  readonly text: string;
  readonly value: string;
}

/** Lines that need not be read again: what one says depends on nothing around it. */
export interface LineMemory {
  /** The line that begins at this place, if it is known. */
  find(text: string, at: number): ReadLine | undefined;
  /** It was not, and has been read. */
  missed(name: Name, line: string, value: string): void;
}

/** Reads the lines from `at` to `end`, each with its CRLF. The rule that one of them breaks, or undefined. */
export function readFieldLines(
  text: string,
  at: number,
  end: number,
  taker: FieldTaker,
  memory?: LineMemory,
): string | undefined {
  while (at < end) {
    const seen = memory?.find(text, at);
    if (seen !== undefined) {
      taker.field(seen.name, seen.value);
      at += seen.text.length;
      continue;
    }
    const first = text.charCodeAt(at);
    if (isBlank(first)) return 'obs-fold';
    let hash = 0;
    let nameEnd = at;
    for (let lower = TOKEN[text.charCodeAt(nameEnd)]; lower; lower = TOKEN[text.charCodeAt(++nameEnd)]) {
      hash = hashByte(hash, lower);
    }
    if (nameEnd === at || nameEnd >= end || text.charCodeAt(nameEnd) !== COLON) return 'field-name';
    const valueStart = skipBlanks(text, nameEnd + 1);
    let lineEnd = valueStart;
    while (isValueByte(text.charCodeAt(lineEnd))) lineEnd++;
    const flaw = flawOfLineEnd(text, lineEnd, end);
    if (flaw !== undefined) return flaw;
    const valueEnd = trimBlanks(text, valueStart, lineEnd);
    const name = nameIn(text, at, nameEnd, hash);
    if (valueEnd < lineEnd && isFraming(name) && text.slice(valueEnd, lineEnd).includes('\t')) return 'tab-in-framing';
    const value = text.slice(valueStart, valueEnd);
    taker.field(name, value);
    memory?.missed(name, text.slice(at, lineEnd + 2), value);
    at = lineEnd + 2;
  }
  return undefined;
}

/** What is wrong with a line that was read up to here, where CRLF has to be. */
export function flawOfLineEnd(text: string, at: number, end: number): string | undefined {
  if (text.charCodeAt(at) === CR) return at + 1 < end && text.charCodeAt(at + 1) === LF ? undefined : 'bare-cr';
  return text.charCodeAt(at) === LF ? 'bare-lf' : 'control-byte';
}

/** Behind these a tab is as good as a blank to the grammar, but not to every parser: some then see another coding. */
function isFraming({ known }: Name): boolean {
  return known === Known.TRANSFER_ENCODING || known === Known.CONTENT_LENGTH;
}

function skipBlanks(text: string, at: number): number {
  while (isBlank(text.charCodeAt(at))) at++;
  return at;
}

function trimBlanks(text: string, start: number, end: number): number {
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return end;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
