// The field lines that a connection has brought before. Most clients send most of their lines again with each request, and in
// the same order: such a line is found by one comparison, and what it says is known.
//
// It belongs to one connection: what is compared is what this client has said itself.
import { type Name, owned } from './names.ts';

const LINES_MAX = 16;
const LINE_BYTES_MAX = 128;
/** Of a line that is new each time, one in so many is kept; to copy each would cost more than it could save. */
const PASSED_OVER = 32;

export interface SeenLine {
  readonly name: Name;
  /** With its CRLF. */
  text: string;
  value: string;
  passedOver: number;
}

export class LineMemory {
  readonly #lines: SeenLine[] = [];
  /** The line that would come next, if this head were like the ones before. */
  #next = 0;
  #heads = 0;

  /** A head begins. */
  begin(): void {
    this.#next = 0;
    if (this.#heads < 2) this.#heads++;
  }

  /** The line at this place, which is the start of one, if it is the one that was to be expected. */
  find(head: string, at: number): SeenLine | undefined {
    const line = this.#lines[this.#next];
    // A slice costs no copy, and two strings are compared many bytes at a time: much less than a look at each of them.
    if (line === undefined || head.slice(at, at + line.text.length) !== line.text) return undefined;
    this.#next++;
    return line;
  }

  /** Takes note of a line that was not expected and is well formed. */
  note(name: Name, head: string, at: number, end: number, value: string): void {
    // Most connections that carry one request carry no other.
    if (this.#heads === 1 || end - at > LINE_BYTES_MAX) return;
    const place = this.#placeOf(name);
    const line = this.#lines[place];
    if (line === undefined) {
      this.#insert({ name, text: owned(head.slice(at, end)), value: owned(value), passedOver: 0 });
      return;
    }
    this.#next = place + 1;
    if (line.passedOver++ < PASSED_OVER) return;
    line.text = owned(head.slice(at, end));
    line.value = owned(value);
    line.passedOver = 0;
  }

  #insert(line: SeenLine): void {
    if (this.#lines.length >= LINES_MAX) return;
    this.#lines.splice(this.#next, 0, line);
    this.#next++;
  }

  /** Where a line of this name is to be expected next, or -1. */
  #placeOf(name: Name): number {
    const lines = this.#lines;
    for (let i = this.#next; i < lines.length; i++) if (lines[i]?.name.text === name.text) return i;
    return -1;
  }
}
