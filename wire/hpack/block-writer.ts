// Writes the representations of HPACK (RFC 7541, 6) into one growing buffer.
//
// Blocks are made one at a time and taken out as copies of their exact length, so one writer serves every connection.
import { huffmanBytes, writeHuffman } from './huffman.ts';
import { writeInteger } from './integer.ts';

const BYTES_FIRST = 4096;
const INTEGER_BYTES_MAX = 6;
const IS_HUFFMAN = 0x80;

export class BlockWriter {
  #bytes = Buffer.allocUnsafeSlow(BYTES_FIRST);
  #at = 0;

  get length(): number {
    return this.#at;
  }

  begin(): void {
    this.#at = 0;
  }

  /** Something that was encoded before. */
  append(bytes: Buffer): void {
    this.#makeRoom(bytes.length);
    bytes.copy(this.#bytes, this.#at);
    this.#at += bytes.length;
  }

  integer(flags: number, prefixBits: number, value: number): void {
    this.#makeRoom(INTEGER_BYTES_MAX);
    this.#at = writeInteger(this.#bytes, this.#at, flags, prefixBits, value);
  }

  /** Where it `mayBeCoded` and that is shorter, as a Huffman code. */
  text(text: string, mayBeCoded: boolean): void {
    const codeBytes = mayBeCoded ? huffmanBytes(text) : text.length;
    this.#makeRoom(INTEGER_BYTES_MAX + text.length);
    if (codeBytes < text.length) {
      this.integer(IS_HUFFMAN, 7, codeBytes);
      this.#at = writeHuffman(this.#bytes, this.#at, text);
    } else {
      this.integer(0, 7, text.length);
      this.#at += this.#bytes.write(text, this.#at, 'latin1');
    }
  }

  /** The block. */
  take(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  /** A copy of what was written from there on, to be kept: it shares memory with nothing. */
  keep(from: number): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.#at - from);
    this.#bytes.copy(copy, 0, from, this.#at);
    return copy;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
