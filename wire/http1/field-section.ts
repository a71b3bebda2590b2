// The fields of one connection's heads. Most clients send with a request what they sent with the one before: all of it, or
// all but a line or two. So one section of fields is kept as it was read. A section that is the same is not read again; of
// one that is not, the lines that are the same are not (bench/http1.bench.ts).
//
// It belongs to one connection: nobody's fields are compared with what somebody else has sent.
import { type LineMemory, type ReadLine, readFieldLines } from './field-lines.ts';
import { HeadFields } from './head-fields.ts';
import { type Name, owned } from './names.ts';

/** A longer section is read each time. */
const KEPT_BYTES_MAX = 2048;
/** Of sections that are new each time one in so many is kept: to copy each would cost more than it could save. */
const PASSED_OVER = 128;

export class SectionReader {
  readonly #isRequest: boolean;
  readonly #read: HeadFields;
  #kept: KeptSection | undefined;
  /** Whether sections have been the same since one was kept: where they change, they do so each time. */
  #isRepeating = false;
  /** The first head of a connection is often its last: only the second is worth keeping. */
  #passedOver = PASSED_OVER - 1;

  constructor(isRequest: boolean) {
    this.#isRequest = isRequest;
    this.#read = new HeadFields(isRequest);
  }

  /** What follows in a head from here, with its empty line: the rule that it breaks, or what it says, up to `clear`. */
  read(head: string, at: number): HeadFields | string {
    const kept = this.#kept;
    if (kept !== undefined) {
      // A slice is no copy, and two strings are compared many bytes at a time: far less than a look at each of them.
      if (this.#isRepeating && kept.text === head.slice(at)) return kept.fields;
      this.#isRepeating = false;
      kept.begin();
    }
    const flaw = readFieldLines(head, at, head.length - 2, this.#read, kept);
    if (flaw !== undefined) return flaw;
    if (this.#passedOver++ >= PASSED_OVER) this.#keep(head.slice(at));
    return this.#read;
  }

  clear(): void {
    this.#read.clear();
  }

  #keep(section: string): void {
    this.#passedOver = 0;
    if (section.length > KEPT_BYTES_MAX) return;
    this.#kept = new KeptSection(owned(section), this.#isRequest);
    this.#isRepeating = true;
  }
}

class KeptSection implements LineMemory {
  readonly text: string;
  readonly fields: HeadFields;
  readonly #lines: ReadLine[] = [];
  /** The line that comes next, if another section is like this one. */
  #next = 0;

  /** `text` was found well formed. */
  constructor(text: string, isRequest: boolean) {
    this.text = text;
    this.fields = new HeadFields(isRequest);
    const lines = this.#lines;
    const all = {
      find: () => undefined,
      missed: (name: Name, line: string, value: string) => lines.push({ name, text: owned(line), value }),
    };
    readFieldLines(text, 0, text.length - 2, this.fields, all);
  }

  /** Another section is read. */
  begin(): void {
    this.#next = 0;
  }

  find(head: string, at: number): ReadLine | undefined {
    const line = this.#lines[this.#next];
    if (line === undefined || head.slice(at, at + line.text.length) !== line.text) return undefined;
    this.#next++;
    return line;
  }

  /** Lines that are left out, new, or changed do not end what there is to find behind them. */
  missed(name: Name): void {
    const lines = this.#lines;
    for (let i = this.#next; i < lines.length; i++) {
      if (lines[i]?.name.text === name.text) {
        this.#next = i + 1;
        return;
      }
    }
  }
}
