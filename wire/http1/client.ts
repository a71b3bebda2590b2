// The client's side of an HTTP/1.1 connection: one exchange at a time, and a judgement after each whether there may be
// another. Where there is any doubt about where an answer ends, there may not.
import type { ByteLink, ByteLinkEvents } from '../byte-link.ts';
import type { Requester, RequestHead, ResponseHead, ResponseReceiver, WireFailure } from '../message.ts';
import { BodyReader } from './body-reader.ts';
import { BodyWriter } from './body-writer.ts';
import { type Broken, exceeded, isBroken, malformed } from './broken.ts';
import { ClientExchange, type ClientHost } from './client-exchange.ts';
import { HeadBytes } from './head-bytes.ts';
import { type Http1Limits, LIMITS } from './limits.ts';
import { Outbox } from './outbox.ts';
import { ResponseHeadReader } from './response-head.ts';
import { writeRequestHead } from './write-head.ts';

export interface Http1ClientOptions {
  /** Monotonic milliseconds, such as `Clock.elapsed`. */
  readonly elapsedMs: () => number;
  readonly limits?: Partial<Http1Limits>;
  /** The server broke a rule or went past a bound, or a request could not be written as it was given. */
  readonly offence?: (failure: WireFailure) => void;
  /** After each exchange that leaves the connection fit for another. */
  readonly idle?: () => void;
  /** Comes last, and once. */
  readonly closed?: () => void;
}

export interface Http1ClientConnection {
  /** Whether `request` may be called. */
  readonly isIdle: boolean;
  /** Since when it has been idle. */
  readonly idleSinceMs: number;
  /** How long the server said, in its last answer, that it keeps an idle connection. */
  readonly keepAliveTimeoutMs: number | undefined;
  /**
   * Sends a request. A connection that is not idle gives it back as `refused`.
   *
   * A connection that goes before any byte of the answer came is `closed`: where it was a kept one, the server may have
   * closed it without having seen the request. One that goes later is `reset`.
   */
  request(head: RequestHead, receiver: ResponseReceiver): Requester;
  /** Lets go of an idle connection; one that is in use ends with its exchange. */
  drain(): void;
  destroy(): void;
}

export function http1Client(link: ByteLink, options: Http1ClientOptions): Http1ClientConnection {
  const connection = new ClientConnection(link, options);
  link.listen(connection);
  return connection;
}

/** What the next bytes are. */
type Reading =
  /** Nothing may come. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'head'; readonly exchange: ClientExchange }
  | {
      readonly kind: 'body';
      readonly exchange: ClientExchange;
      readonly isUntilClose: boolean;
      readonly isKept: boolean;
    }
  | { readonly kind: 'tunnel'; readonly exchange: ClientExchange }
  /** Of no more use; waits for the link to close. */
  | { readonly kind: 'over' }
  | { readonly kind: 'closed' };

const UNASKED = malformed('unasked-answer').failure;
const IDLE: Reading = { kind: 'idle' };
const OVER: Reading = { kind: 'over' };
const CLOSED: Reading = { kind: 'closed' };

class ClientConnection implements Http1ClientConnection, ByteLinkEvents, ClientHost {
  readonly outbox: Outbox;
  readonly body: BodyWriter;
  readonly #link: ByteLink;
  readonly #options: Http1ClientOptions;
  readonly #limits: Http1Limits;
  readonly #heads: HeadBytes;
  readonly #headReader: ResponseHeadReader;
  readonly #bodyReader: BodyReader;
  #reading: Reading = IDLE;
  #isDraining = false;
  #isPaused = false;
  #informationals = 0;
  #idleSinceMs: number;
  #keepAliveTimeoutMs: number | undefined;

  constructor(link: ByteLink, options: Http1ClientOptions) {
    this.#link = link;
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.outbox = new Outbox(link);
    this.body = new BodyWriter(this.outbox);
    this.#heads = new HeadBytes(this.#limits.headBytesMax);
    this.#headReader = new ResponseHeadReader(this.#limits.fieldsMax);
    this.#bodyReader = new BodyReader(this.#limits);
    this.#idleSinceMs = options.elapsedMs();
  }

  get isIdle(): boolean {
    return this.#reading.kind === 'idle';
  }

  get idleSinceMs(): number {
    return this.#idleSinceMs;
  }

  get keepAliveTimeoutMs(): number | undefined {
    return this.#keepAliveTimeoutMs;
  }

  request(head: RequestHead, receiver: ResponseReceiver): Requester {
    const exchange = new ClientExchange(this, head, receiver);
    if (!this.isIdle) {
      exchange.lost({ kind: 'refused', reason: 'the connection is not idle' });
      return exchange;
    }
    const written = writeRequestHead(head);
    if (!written.ok) {
      const failure: WireFailure = { kind: 'malformed', reason: written.error };
      this.#options.offence?.(failure);
      exchange.lost(failure);
      return exchange;
    }
    this.#reading = { kind: 'head', exchange };
    this.#informationals = 0;
    this.body.begin(written.value.delimiting, head.bodyBytes);
    this.outbox.text(written.value.text);
    return exchange;
  }

  drain(): void {
    this.#isDraining = true;
    if (this.isIdle) this.#leave();
  }

  destroy(): void {
    if (this.isIdle) this.#reading = OVER;
    this.outbox.destroy();
  }

  // What the link says.

  data(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const reading = this.#reading;
      switch (reading.kind) {
        case 'idle':
          // An answer to nothing: whoever sends one now would have it taken for the answer to the next request.
          this.#options.offence?.(UNASKED);
          this.#break();
          return;
        case 'head':
          at = this.#readHead(reading.exchange, chunk, at);
          break;
        case 'body':
          at = this.#readBody(reading, chunk, at);
          break;
        case 'tunnel':
          if (reading.exchange.pushBytes(at === 0 ? chunk : chunk.subarray(at)) === 'pause') this.#pause();
          return;
        case 'over':
        case 'closed':
          return;
      }
    }
  }

  drained(): void {
    this.outbox.drained();
    this.#exchange?.drained();
  }

  ended(): void {
    const reading = this.#reading;
    if (reading.kind === 'tunnel') {
      reading.exchange.tunnelEnded();
      return;
    }
    if (reading.kind === 'body' && reading.isUntilClose) {
      this.#complete(reading.exchange, false, true);
      return;
    }
    this.#exchange?.lost(this.#goneFailure('the server ended the connection'));
    this.#leave();
  }

  closed(error: Error | undefined): void {
    const exchange = this.#exchange;
    const failure = this.#goneFailure(error?.message ?? 'the connection was closed');
    this.#reading = CLOSED;
    this.outbox.drop();
    this.#heads.clear();
    exchange?.lost(failure);
    this.#options.closed?.();
  }

  // What an exchange asks for.

  resumeReading(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#link.resume();
  }

  /** The caller has given up. */
  givenUp(exchange: ClientExchange): void {
    if (this.#exchange === exchange) this.#break();
  }

  failed(exchange: ClientExchange, rule: string): void {
    const { failure } = malformed(rule);
    this.#options.offence?.(failure);
    if (this.#exchange === exchange) this.#break();
  }

  get #exchange(): ClientExchange | undefined {
    return 'exchange' in this.#reading ? this.#reading.exchange : undefined;
  }

  #goneFailure(reason: string): WireFailure {
    const isUnanswered = this.#reading.kind === 'head' && this.#heads.isEmpty && this.#informationals === 0;
    return { kind: isUnanswered ? 'closed' : 'reset', reason };
  }

  #readHead(exchange: ClientExchange, chunk: Buffer, at: number): number {
    const found = this.#heads.push(chunk, at);
    if (found === 'more') return chunk.length;
    const { text, next } = this.#heads;
    const head = found === 'whole' ? this.#headReader.read(text) : found;
    this.#heads.clear();
    const flaw = isBroken(head) ? head : this.#take(exchange, head, next === chunk.length);
    if (flaw === undefined) return next;
    this.#breakAnswer(exchange, flaw);
    return chunk.length;
  }

  /** What is wrong with an answer of this kind at this place, or undefined. */
  #take(exchange: ClientExchange, head: ResponseHead, isChunkOver: boolean): Broken | undefined {
    if (exchange.isTunnelWith(head.status)) {
      this.#reading = { kind: 'tunnel', exchange };
      exchange.switched(head);
      return undefined;
    }
    if (head.status === 101) return malformed('switched-without-being-asked');
    if (head.status < 200) {
      if (++this.#informationals > this.#limits.informationalMax) return exceeded('informational-answers');
      exchange.informational(head);
      return undefined;
    }
    this.#answer(exchange, head, isChunkOver);
    return undefined;
  }

  #answer(exchange: ClientExchange, head: ResponseHead, isChunkOver: boolean): void {
    const { isKept, isChunked, keepAliveTimeoutMs } = this.#headReader;
    const isBodiless = exchange.method === 'HEAD' || head.status === 204 || head.status === 304;
    const framing = isBodiless ? 0 : isChunked ? 'chunked' : (head.bodyBytes ?? 'until-close');
    this.#keepAliveTimeoutMs = keepAliveTimeoutMs;
    this.#bodyReader.begin(framing);
    this.#reading = { kind: 'body', exchange, isUntilClose: framing === 'until-close', isKept };
    exchange.answered(head);
    if (this.#bodyReader.isDone && this.#exchange === exchange) this.#complete(exchange, isKept, isChunkOver);
  }

  #readBody(reading: Reading & { readonly kind: 'body' }, chunk: Buffer, from: number): number {
    const { exchange } = reading;
    const reader = this.#bodyReader;
    const at = reader.read(chunk, from);
    const data = reader.take();
    if (data !== undefined && exchange.pushBytes(data) === 'pause') this.#pause();
    // Whoever was given the bytes may have ended it all.
    if (this.#exchange !== exchange) return chunk.length;
    if (reader.broken !== undefined) {
      this.#breakAnswer(exchange, reader.broken);
      return chunk.length;
    }
    if (reader.isDone) this.#complete(exchange, reading.isKept, at === chunk.length);
    return at;
  }

  /** The answer is read to its end. What follows it in the same chunk is no answer to anything. */
  #complete(exchange: ClientExchange, isKept: boolean, isChunkOver: boolean): void {
    const { isRequestSent } = exchange;
    const isOver = !isKept || !isChunkOver || !isRequestSent || this.#isDraining;
    this.#reading = isOver ? OVER : IDLE;
    this.#idleSinceMs = this.#options.elapsedMs();
    this.resumeReading();
    if (!isChunkOver) this.#options.offence?.(UNASKED);
    // The rest of a request that has been answered is of no use to anybody, and its place is taken by no other.
    if (!isRequestSent) this.outbox.destroy();
    else if (isOver) this.outbox.end();
    exchange.completed(this.#bodyReader.trailers);
    if (this.isIdle) this.#options.idle?.();
  }

  #breakAnswer(exchange: ClientExchange, broken: Broken): void {
    this.#options.offence?.(broken.failure);
    this.#break();
    exchange.lost(broken.failure);
  }

  #break(): void {
    this.#reading = OVER;
    this.outbox.destroy();
  }

  #leave(): void {
    if (this.#reading.kind === 'closed') return;
    this.#reading = OVER;
    this.resumeReading();
    this.outbox.end();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#link.pause();
  }
}
