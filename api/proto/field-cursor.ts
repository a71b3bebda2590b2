// Reads the fields of a protobuf message where they stand: an index into the bytes and no object per field.
//
//   const cursor = new FieldCursor(bytes);
//   while (cursor.next()) if (cursor.isBytes(1)) …cursor.start, cursor.end…
//   if (cursor.broken !== undefined) …
//
// Call messages have a field for each header; a list of field objects would cost more than everything else about a call.

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
/** Of 64 bits, seven to a byte. */
const VARINT_BYTES_MAX = 10;

export class FieldCursor {
  readonly bytes: Buffer;
  /** What is wrong with the message; from then on there are no fields. */
  broken: string | undefined;
  /** Of the field that `next` has found. */
  number = 0;
  value = 0;
  start = 0;
  end = 0;
  #isDelimited = false;
  #at: number;
  #stop: number;
  /** The bytes from `#textStart` on as a byte string, of which strings are parts: one crossing into the platform for all. */
  #text: string | undefined;
  #textStart = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#at = 0;
    this.#stop = bytes.length;
  }

  /** Where the message ends that it goes over. */
  get stop(): number {
    return this.#stop;
  }

  /** Goes over a message within these bytes. Each string that is asked for is made by itself. */
  enter(start: number, end: number): void {
    this.#at = start;
    this.#stop = end;
  }

  /** As `enter`, where all of it is small and most of it are strings. */
  enterText(start: number, end: number): void {
    this.enter(start, end);
    this.#text = this.bytes.toString('latin1', start, end);
    this.#textStart = start;
  }

  /** Whether there is another field. Fixed-width ones, which no message here has, are skipped. */
  next(): boolean {
    while (this.#at < this.#stop && this.broken === undefined) {
      const tag = this.#varint();
      if (this.broken !== undefined || tag >= 2 ** 32) return this.#break('a field tag is cut short or too large');
      this.number = tag >>> 3;
      if (this.number === 0) return this.#break('field number 0 does not exist');
      switch (tag & 7) {
        case VARINT:
          this.value = this.#varint();
          this.#isDelimited = false;
          return this.broken === undefined || this.#break(`field ${this.number} is cut short`);
        case LENGTH_DELIMITED:
          return this.#delimited();
        case FIXED64:
          if (!this.#skip(8)) return false;
          break;
        case FIXED32:
          if (!this.#skip(4)) return false;
          break;
        default:
          return this.#break(`field ${this.number} has a wire type that is none`);
      }
    }
    return false;
  }

  /** Whether this is that field, as a run of bytes from `start` to `end`. */
  isBytes(number: number): boolean {
    return this.number === number && this.#isDelimited;
  }

  /** Whether this is that field, as a number. */
  isNumber(number: number): boolean {
    return this.number === number && !this.#isDelimited;
  }

  /** The field as a byte string, one character per byte. */
  string(): string {
    return this.stringAt(this.start, this.end);
  }

  stringAt(start: number, end: number): string {
    if (this.#text === undefined) return this.bytes.toString('latin1', start, end);
    return this.#text.substring(start - this.#textStart, end - this.#textStart);
  }

  #delimited(): boolean {
    const length = this.#varint();
    if (this.broken !== undefined || this.#at + length > this.#stop)
      return this.#break(`field ${this.number} is cut short`);
    this.start = this.#at;
    this.end = this.#at + length;
    this.#at = this.end;
    this.#isDelimited = true;
    return true;
  }

  #skip(bytes: number): boolean {
    this.#at += bytes;
    return this.#at <= this.#stop || this.#break(`field ${this.number} is cut short`);
  }

  #varint(): number {
    const { bytes } = this;
    const first = bytes[this.#at] ?? 0x80;
    if (first < 0x80 && this.#at < this.#stop) {
      this.#at++;
      return first;
    }
    let value = 0;
    let scale = 1;
    // Of a message that is not all here yet, `#stop` lies beyond the bytes.
    const stop = Math.min(this.#stop, bytes.length, this.#at + VARINT_BYTES_MAX);
    while (this.#at < stop) {
      const byte = bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    this.#break('a number is cut short');
    return 0;
  }

  #break(reason: string): false {
    this.broken = reason;
    return false;
  }
}
