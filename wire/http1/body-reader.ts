// Finds the body in what arrives: by its length, by its chunks, or up to the end of the connection.
import type { Fields } from '../message.ts';
import { type Broken, exceeded, isBroken, malformed } from './broken.ts';
import { CR, LF } from './bytes.ts';
import { ChunkLine } from './chunk-line.ts';
import { HeadBytes } from './head-bytes.ts';
import type { Http1Limits } from './limits.ts';
import { parseTrailers } from './trailers.ts';

export type BodyFraming = number | 'chunked' | 'until-close';

type State =
  /** Bytes of the body follow: of a chunk, or of a body with a length or none. */
  | 'data'
  | 'chunk-line'
  | 'chunk-cr'
  | 'chunk-lf'
  /** Behind the last chunk: the empty line, or trailers before it. */
  | 'trailers-start'
  | 'trailers'
  | 'last-lf'
  | 'done';

const NO_FIELDS: Fields = [];

/** One for a connection, used for one body after the other. */
export class BodyReader {
  readonly #limits: Http1Limits;
  #state: State = 'done';
  #isChunked = false;
  #leftBytes = 0;
  #line = new ChunkLine();
  #trailerBytes: HeadBytes | undefined;
  /** What was read and not taken yet: mostly one piece. */
  #piece: Buffer | undefined;
  #more: Buffer[] | undefined;

  trailers: Fields = NO_FIELDS;
  /** What the last read found wrong, if it did: nothing more can be read then. */
  broken: Broken | undefined;

  constructor(limits: Http1Limits) {
    this.#limits = limits;
  }

  begin(framing: BodyFraming): void {
    this.#isChunked = framing === 'chunked';
    this.trailers = NO_FIELDS;
    this.broken = undefined;
    this.#trailerBytes = undefined;
    if (this.#isChunked) {
      this.#line = new ChunkLine();
      this.#state = 'chunk-line';
      return;
    }
    this.#leftBytes = typeof framing === 'number' ? framing : Number.POSITIVE_INFINITY;
    this.#state = this.#leftBytes === 0 ? 'done' : 'data';
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** How much is still to come; undefined where only the end will tell. */
  get leftBytes(): number | undefined {
    if (this.isDone) return 0;
    return this.#isChunked || this.#leftBytes === Number.POSITIVE_INFINITY ? undefined : this.#leftBytes;
  }

  /** Reads on, and returns where it stopped: behind the body, at a flaw, or at the end of the bytes. */
  read(bytes: Buffer, at: number): number {
    while (at < bytes.length && this.#state !== 'done' && this.broken === undefined) at = this.#step(bytes, at);
    return at;
  }

  /**
   * What `read` has found of the body, in one piece: a body in a thousand little chunks is not to become a thousand
   * little messages.
   */
  take(): Buffer | undefined {
    const piece = this.#piece;
    const more = this.#more;
    if (piece === undefined) return undefined;
    this.#piece = undefined;
    if (more === undefined) return piece;
    this.#more = undefined;
    return Buffer.concat([piece, ...more]);
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'data':
        return this.#data(bytes, at);
      case 'chunk-line':
        return this.#chunkLine(bytes, at);
      case 'chunk-cr':
        return this.#expect(bytes, at, CR, 'chunk-lf');
      case 'chunk-lf':
        return this.#expect(bytes, at, LF, 'chunk-line');
      case 'trailers-start':
        if (bytes[at] === CR) return this.#expect(bytes, at, CR, 'last-lf');
        this.#state = 'trailers';
        return at;
      case 'trailers':
        return this.#trailers(bytes, at);
      case 'last-lf':
        return this.#expect(bytes, at, LF, 'done');
      case 'done':
        return at;
    }
  }

  #data(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#leftBytes);
    this.#add(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    this.#leftBytes -= end - at;
    if (this.#leftBytes === 0) this.#state = this.#isChunked ? 'chunk-cr' : 'done';
    return end;
  }

  #add(piece: Buffer): void {
    if (this.#piece === undefined) this.#piece = piece;
    else if (this.#more === undefined) this.#more = [piece];
    else this.#more.push(piece);
  }

  #chunkLine(bytes: Buffer, at: number): number {
    const line = this.#line;
    while (at < bytes.length && !line.isDone) {
      const flaw = line.take(bytes[at++] ?? 0);
      if (flaw !== undefined) return this.#break(malformed(flaw), at);
      if (line.extensionBytes > this.#limits.extensionBytesMax) {
        return this.#break(exceeded('chunk-extension-bytes', 413), at);
      }
    }
    if (!line.isDone) return at;
    this.#leftBytes = line.sizeBytes;
    this.#state = line.sizeBytes === 0 ? 'trailers-start' : 'data';
    line.begin();
    return at;
  }

  #trailers(bytes: Buffer, at: number): number {
    this.#trailerBytes ??= new HeadBytes(this.#limits.headBytesMax, 'trailer-bytes');
    const head = this.#trailerBytes;
    const found = head.push(bytes, at);
    if (found === 'more') return bytes.length;
    if (found !== 'whole') return this.#break(found, at);
    const trailers = parseTrailers(head.text, this.#limits.fieldsMax);
    if (isBroken(trailers)) return this.#break(trailers, at);
    this.trailers = trailers;
    this.#trailerBytes = undefined;
    this.#state = 'done';
    return head.next;
  }

  #expect(bytes: Buffer, at: number, byte: number, next: State): number {
    if (bytes[at] !== byte) return this.#break(malformed('chunk-end'), at);
    this.#state = next;
    return at + 1;
  }

  #break(broken: Broken, at: number): number {
    this.broken = broken;
    return at;
  }
}
