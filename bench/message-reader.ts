// Where one HTTP/1.1 message ends and the next begins, at the least cost: the load generator and the app count whole messages
// and throw their bodies away. It reads what well-behaved programs send; it is no parser to put before strangers.

export interface WholeMessage {
  readonly startLine: string;
  readonly bodyBytes: number;
}

type State =
  | { readonly kind: 'head' }
  | { readonly kind: 'body'; leftBytes: number }
  | { readonly kind: 'chunk-size' }
  /** With the line end behind the chunk. */
  | { readonly kind: 'chunk'; leftBytes: number }
  | { readonly kind: 'trailers' };

const HEAD: State = { kind: 'head' };
const CHUNK_SIZE: State = { kind: 'chunk-size' };
const TRAILERS: State = { kind: 'trailers' };
const NOTHING = Buffer.alloc(0);
const LINE_END = '\r\n';

export class MessageReader {
  readonly #whole: (message: WholeMessage) => void;
  #state: State = HEAD;
  /** The beginning of a head or of a line that has not come to its end yet. */
  #rest: Buffer = NOTHING;
  #startLine = '';
  #bodyBytes = 0;

  constructor(whole: (message: WholeMessage) => void) {
    this.#whole = whole;
  }

  /** Throws on what is no HTTP/1.1: whatever is measured then is not what was meant to be. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at < bytes.length) {
      const next = this.#step(bytes, at);
      if (next === at) break;
      at = next;
    }
    this.#rest = at === bytes.length ? NOTHING : bytes.subarray(at);
  }

  /** How far it has read; no further than before when more bytes are needed. */
  #step(bytes: Buffer, at: number): number {
    const state = this.#state;
    switch (state.kind) {
      case 'head':
        return this.#head(bytes, at);
      case 'body':
        return this.#body(state, bytes, at);
      case 'chunk-size':
        return this.#chunkSize(bytes, at);
      case 'chunk':
        return this.#chunk(state, bytes, at);
      case 'trailers':
        return this.#trailer(bytes, at);
    }
  }

  #head(bytes: Buffer, at: number): number {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) return at;
    const head = bytes.toString('latin1', at, end);
    this.#startLine = head.slice(0, Math.max(0, head.indexOf(LINE_END)));
    this.#bodyBytes = 0;
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.#state = CHUNK_SIZE;
    else if (Number(length ?? 0) > 0) this.#state = { kind: 'body', leftBytes: Number(length) };
    else if (length !== undefined) this.#finish();
    else throw new Error(`a message says nothing of its length: ${head}`);
    return end + 4;
  }

  #body(state: Extract<State, { kind: 'body' }>, bytes: Buffer, at: number): number {
    const taken = Math.min(state.leftBytes, bytes.length - at);
    state.leftBytes -= taken;
    this.#bodyBytes += taken;
    if (state.leftBytes === 0) this.#finish();
    return at + taken;
  }

  #chunkSize(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LINE_END, at);
    if (end < 0) return at;
    const line = bytes.toString('latin1', at, end);
    const size = Number.parseInt(line, 16);
    if (Number.isNaN(size)) throw new Error(`this is not the size of a chunk: ${line}`);
    this.#state = size === 0 ? TRAILERS : { kind: 'chunk', leftBytes: size + LINE_END.length };
    return end + LINE_END.length;
  }

  #chunk(state: Extract<State, { kind: 'chunk' }>, bytes: Buffer, at: number): number {
    const taken = Math.min(state.leftBytes, bytes.length - at);
    state.leftBytes -= taken;
    this.#bodyBytes += taken;
    if (state.leftBytes === 0) {
      this.#bodyBytes -= LINE_END.length;
      this.#state = CHUNK_SIZE;
    }
    return at + taken;
  }

  #trailer(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LINE_END, at);
    if (end < 0) return at;
    if (end === at) this.#finish();
    return end + LINE_END.length;
  }

  #finish(): void {
    this.#state = HEAD;
    this.#whole({ startLine: this.#startLine, bodyBytes: this.#bodyBytes });
  }
}
