// Field lines (RFC 9112, section 5) from bytes, in one pass. What two readers could read in two ways is refused: folded
// lines, blanks before the colon, bare CR or LF, control bytes.
import { COLON, CR, isValueByte, LF, SPACE, TAB, TOKEN } from './bytes.ts';
import { hashByte, Known, type Name, nameIn } from './names.ts';

/** Takes each field, in order. */
export interface FieldTaker {
  field(name: Name, value: string): void;
}

/** Reads the lines in `bytes` from `at` to `end`, each with its CRLF. The rule that one of them breaks, or undefined. */
export function readFieldLines(bytes: Buffer, at: number, end: number, taker: FieldTaker): string | undefined {
  while (at < end) {
    const first = bytes[at];
    if (first === SPACE || first === TAB) return 'obs-fold';
    let hash = 0;
    let nameEnd = at;
    for (let lower = TOKEN[bytes[nameEnd] ?? 0]; lower; lower = TOKEN[bytes[++nameEnd] ?? 0]) {
      hash = hashByte(hash, lower);
    }
    if (nameEnd === at || nameEnd >= end || bytes[nameEnd] !== COLON) return 'field-name';
    const valueStart = skipBlanks(bytes, nameEnd + 1);
    let lineEnd = valueStart;
    while (isValueByte(bytes[lineEnd] ?? 0)) lineEnd++;
    const flaw = flawOfLineEnd(bytes, lineEnd, end);
    if (flaw !== undefined) return flaw;
    const valueEnd = trimBlanks(bytes, valueStart, lineEnd);
    const name = nameIn(bytes, at, nameEnd, hash);
    if (valueEnd < lineEnd && isFraming(name) && bytes.subarray(valueEnd, lineEnd).includes(TAB))
      return 'tab-in-framing';
    taker.field(name, bytes.toString('latin1', valueStart, valueEnd));
    at = lineEnd + 2;
  }
  return undefined;
}

/** What is wrong with a line that was read up to here, where CRLF has to be. */
export function flawOfLineEnd(bytes: Buffer, at: number, end: number): string | undefined {
  if (bytes[at] === CR) return at + 1 < end && bytes[at + 1] === LF ? undefined : 'bare-cr';
  return bytes[at] === LF ? 'bare-lf' : 'control-byte';
}

/** Behind these a tab is as good as a blank to the grammar, but not to every parser: some then see another coding. */
function isFraming({ known }: Name): boolean {
  return known === Known.TRANSFER_ENCODING || known === Known.CONTENT_LENGTH;
}

function skipBlanks(bytes: Buffer, at: number): number {
  while (bytes[at] === SPACE || bytes[at] === TAB) at++;
  return at;
}

function trimBlanks(bytes: Buffer, start: number, end: number): number {
  while (end > start && (bytes[end - 1] === SPACE || bytes[end - 1] === TAB)) end--;
  return end;
}
