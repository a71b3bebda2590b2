// The line before a chunk (RFC 9112, 7.1): its size, and extensions, which are checked and thrown away.
import { CR, isTokenByte, LF, SPACE, TAB } from './bytes.ts';

/** A size that can still be counted with: 13 digits are 52 bits. Leading zeros count too. */
const SIZE_DIGITS_MAX = 13;
const [SEMICOLON, EQUALS, QUOTE, BACKSLASH, DEL] = [0x3b, 0x3d, 0x22, 0x5c, 0x7f];

type State = 'size' | 'name' | 'value-start' | 'value' | 'quoted' | 'escape' | 'quoted-end' | 'lf' | 'done';

export class ChunkLine {
  #state: State = 'size';
  #digits = 0;
  #isInName = false;
  sizeBytes = 0;
  /** Over all lines since this reader was made. */
  extensionBytes = 0;

  /** Makes it ready for the next line. */
  begin(): void {
    this.#state = 'size';
    this.#digits = 0;
    this.sizeBytes = 0;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Takes one byte; the rule that it breaks, or undefined. */
  take(byte: number): string | undefined {
    switch (this.#state) {
      case 'size':
        return this.#size(byte);
      case 'lf':
        this.#state = 'done';
        return byte === LF ? undefined : 'bare-cr';
      case 'done':
        return 'chunk-line';
      default:
        this.extensionBytes++;
        return this.#extension(byte);
    }
  }

  #size(byte: number): string | undefined {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > SIZE_DIGITS_MAX) return 'chunk-size';
      this.sizeBytes = this.sizeBytes * 16 + digit;
      return undefined;
    }
    return this.#digits === 0 ? 'chunk-size' : this.#afterPart(byte, 'chunk-size');
  }

  #extension(byte: number): string | undefined {
    switch (this.#state) {
      case 'name':
        if (isTokenByte(byte)) {
          this.#isInName = true;
          return undefined;
        }
        if (!this.#isInName) return 'chunk-extension';
        if (byte !== EQUALS) return this.#afterPart(byte, 'chunk-extension');
        this.#state = 'value-start';
        return undefined;
      case 'value-start':
        if (byte !== QUOTE && !isTokenByte(byte)) return 'chunk-extension';
        this.#state = byte === QUOTE ? 'quoted' : 'value';
        return undefined;
      case 'value':
        return isTokenByte(byte) ? undefined : this.#afterPart(byte, 'chunk-extension');
      case 'quoted':
        if (!isQuotable(byte)) return 'chunk-extension';
        if (byte === QUOTE) this.#state = 'quoted-end';
        else if (byte === BACKSLASH) this.#state = 'escape';
        return undefined;
      case 'escape':
        this.#state = 'quoted';
        return isQuotable(byte) ? undefined : 'chunk-extension';
      default:
        return this.#afterPart(byte, 'chunk-extension');
    }
  }

  /** A size, a name or a value is over: the next extension, or the end of the line. No blanks: readers differ on them. */
  #afterPart(byte: number, rule: string): string | undefined {
    if (byte === SEMICOLON) {
      this.#state = 'name';
      this.#isInName = false;
      return undefined;
    }
    if (byte !== CR) return byte === LF ? 'bare-lf' : rule;
    this.#state = 'lf';
    return undefined;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

function isQuotable(byte: number): boolean {
  return byte === TAB || (byte >= SPACE && byte !== DEL);
}
