// The server's side of an HTTP/1.1 connection: requests in, one after the other, and their answers in the same order.
//
// One request is served at a time. What a client sends behind it waits as bytes, within a bound, until its answer is
// written and it has been read to its end; so no answer ever waits for another, and a request costs one object.
//
// Time: there is no timer here. The owner sweeps all its connections now and then (`sweep`), which costs a request no
// more than one look at the clock; timers would cost each of them two calls of the platform.
import type { ByteLink, ByteLinkEvents } from '../byte-link.ts';
import type { RequestHead, Serve } from '../message.ts';
import { BodyReader } from './body-reader.ts';
import { BodyWriter } from './body-writer.ts';
import { type Broken, exceeded, isBroken, malformed } from './broken.ts';
import { CR, LF } from './bytes.ts';
import { HeadBytes } from './head-bytes.ts';
import { type Http1Limits, LIMITS } from './limits.ts';
import { Lingering, UNREAD_MS } from './lingering.ts';
import { Outbox } from './outbox.ts';
import { plainRefusal, writeRefusal } from './refusal.ts';
import { flawOfRequestLine, RequestHeadReader } from './request-head.ts';
import { type ExchangeHost, ServerExchange } from './server-exchange.ts';
import type { Http1ServerConnection, Http1ServerOptions, ServerPhase } from './server-options.ts';

const IDLE_MS = 120_000;
const HEAD_MS = 10_000;

/** Serves the connection from its first byte on. */
export function http1Server(link: ByteLink, serve: Serve, options: Http1ServerOptions): Http1ServerConnection {
  const connection = new ServerConnection(link, serve, options);
  link.listen(connection);
  return connection;
}

/** What the next bytes are. */
type Reading =
  | { readonly kind: 'head' }
  /** Of the request that is being served; pushed as long as anybody wants it. */
  | { readonly kind: 'body'; readonly exchange: ServerExchange }
  /** The request is read, its answer is not over: bytes wait. */
  | { readonly kind: 'answer'; readonly exchange: ServerExchange }
  | { readonly kind: 'tunnel'; readonly exchange: ServerExchange }
  | Lingering
  | { readonly kind: 'closed' };

const AT_HEAD: Reading = { kind: 'head' };
const CLOSED: Reading = { kind: 'closed' };

class ServerConnection implements Http1ServerConnection, ByteLinkEvents, ExchangeHost {
  readonly outbox: Outbox;
  readonly body: BodyWriter;
  readonly #link: ByteLink;
  readonly #serve: Serve;
  readonly #options: Http1ServerOptions;
  readonly #limits: Http1Limits;
  readonly #heads: HeadBytes;
  readonly #headReader: RequestHeadReader;
  readonly #bodyReader: BodyReader;
  #reading: Reading = AT_HEAD;
  #isDraining = false;
  #isPaused = false;
  #ahead: Buffer[] = [];
  #aheadBytes = 0;
  /** Of the empty line that a careless client sends before a request: what is still to come, or 'read'. */
  #emptyLine: 'none' | 'cr' | 'read' = 'none';
  /** Since when it has been in its phase, where somebody waits for the client. */
  #sinceMs: number;
  #requests = 0;

  constructor(link: ByteLink, serve: Serve, options: Http1ServerOptions) {
    this.#link = link;
    this.#serve = serve;
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.outbox = new Outbox(link);
    this.body = new BodyWriter(this.outbox);
    this.#heads = new HeadBytes(this.#limits.headBytesMax, 'head-bytes', flawOfRequestLine);
    this.#headReader = new RequestHeadReader(this.#limits.fieldsMax);
    this.#bodyReader = new BodyReader(this.#limits);
    this.#sinceMs = options.elapsedMs();
  }

  get phase(): ServerPhase {
    switch (this.#reading.kind) {
      case 'head':
        return this.#heads.isEmpty ? 'idle' : 'head';
      case 'body':
      case 'answer':
        return 'exchange';
      default:
        return this.#reading.kind;
    }
  }

  get requests(): number {
    return this.#requests;
  }

  sweep(nowMs: number): void {
    const { idleMs = IDLE_MS, headMs = HEAD_MS, unreadMs = UNREAD_MS } = this.#options;
    const waitedMs = nowMs - this.#sinceMs;
    const { phase } = this;
    if (this.#reading.kind === 'lingering') this.#reading.sweep(nowMs);
    else if (phase === 'idle' && waitedMs >= idleMs) this.#linger();
    else if (phase === 'head' && waitedMs >= headMs) this.#refuse(exceeded('head-time', 408));
    else if (this.#isBodyLeftOver && waitedMs >= idleMs) this.#linger();
    else if (this.#isAnswerUnread && waitedMs >= unreadMs) this.outbox.destroy();
  }

  drain(): void {
    this.#isDraining = true;
    if (this.phase === 'idle' || this.#isBodyLeftOver) this.#linger();
  }

  destroy(): void {
    this.outbox.destroy();
  }

  // What the link says.

  data(chunk: Buffer): void {
    if (this.#ahead.length > 0) this.#holdAhead(chunk);
    else this.#consume(chunk);
  }

  drained(): void {
    this.outbox.drained();
    if (this.#reading.kind === 'lingering') this.#reading.drained();
    else if (this.#isAnswerUnread) this.#next();
    else this.#exchange?.drained();
  }

  /** A client that says no more while its answer is under way has gone, or might as well have. */
  ended(): void {
    const reading = this.#reading;
    if (reading.kind === 'tunnel') {
      reading.exchange.tunnelEnded();
    } else if (reading.kind === 'body' || reading.kind === 'answer') {
      const isAnswered = reading.exchange.isAnswered;
      reading.exchange.lost({ kind: 'closed', reason: 'the client ended its side before it had its answer' });
      if (reading.exchange.hasHead && !isAnswered) this.outbox.destroy();
      else this.#linger();
    } else {
      this.#linger();
    }
  }

  closed(error: Error | undefined): void {
    const exchange = this.#exchange;
    this.#reading = CLOSED;
    this.outbox.drop();
    this.#heads.clear();
    this.#ahead = [];
    exchange?.lost({ kind: 'closed', reason: error?.message ?? 'the connection was closed' });
    this.#options.closed?.();
  }

  // What an exchange asks for.

  get isKept(): boolean {
    return !this.#isDraining && this.#isRestOfRequestSmall;
  }

  resumeReading(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#link.resume();
  }

  /** The answer is written. */
  answered(exchange: ServerExchange): void {
    if (this.#exchange !== exchange) return;
    if (exchange.isLast) {
      this.#linger();
    } else if (this.#reading.kind === 'answer') {
      this.#next();
    } else {
      this.#sinceMs = this.#options.elapsedMs();
      this.resumeReading();
    }
  }

  /**
   * There is no whole answer to this one, and nothing can follow. What there is of it still reaches the client, who sees by
   * itself that the rest is missing; where it could not, a reset says so.
   */
  unanswered(exchange: ServerExchange): void {
    if (this.#exchange !== exchange) return;
    if (exchange.hasHead && !exchange.isDelimited) this.outbox.destroy();
    else this.#linger();
  }

  switched(exchange: ServerExchange): void {
    this.#reading = { kind: 'tunnel', exchange };
    this.#replay();
  }

  failed(rule: string): void {
    this.#options.offence?.(malformed(rule).failure);
    this.outbox.destroy();
  }

  get #exchange(): ServerExchange | undefined {
    return 'exchange' in this.#reading ? this.#reading.exchange : undefined;
  }

  /** The answer is written, and some of the request that it answers is still to come. */
  get #isBodyLeftOver(): boolean {
    return this.#reading.kind === 'body' && this.#reading.exchange.isAnswered;
  }

  /** The exchange is over but for the client, who reads more slowly than it asks. */
  get #isAnswerUnread(): boolean {
    return this.#reading.kind === 'answer' && this.#reading.exchange.isAnswered;
  }

  /** Whether it is cheaper to read what is left of the request than to open another connection. */
  get #isRestOfRequestSmall(): boolean {
    if (this.#reading.kind !== 'body') return true;
    const left = this.#bodyReader.leftBytes;
    return left !== undefined && left <= this.#limits.drainBytesMax && !this.#reading.exchange.isBodyWithheld;
  }

  #consume(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const reading = this.#reading;
      switch (reading.kind) {
        case 'head':
          at = this.#readHead(chunk, at);
          break;
        case 'body':
          at = this.#readBody(reading.exchange, chunk, at);
          break;
        case 'answer':
          this.#holdAhead(at === 0 ? chunk : chunk.subarray(at));
          return;
        case 'tunnel':
          if (reading.exchange.pushBytes(at === 0 ? chunk : chunk.subarray(at)) === 'pause') this.#pause();
          return;
        case 'lingering':
          reading.discard(chunk.length - at);
          return;
        case 'closed':
          return;
      }
    }
  }

  /** One empty line before a request is passed over (RFC 9112, 2.2): some clients end their bodies with one. */
  #skipEmptyLine(chunk: Buffer, at: number): number {
    if (this.#emptyLine === 'none' && chunk[at] === CR) {
      this.#emptyLine = 'cr';
      at++;
    }
    if (this.#emptyLine !== 'cr' || at === chunk.length) return at;
    this.#emptyLine = 'read';
    if (chunk[at] === LF) return at + 1;
    this.#refuse(malformed('bare-cr'));
    return chunk.length;
  }

  #readHead(chunk: Buffer, from: number): number {
    const wasIdle = this.#heads.isEmpty;
    const at = wasIdle ? this.#skipEmptyLine(chunk, from) : from;
    if (at === chunk.length) return at;
    const found = this.#heads.push(chunk, at);
    if (found === 'more') {
      if (wasIdle) this.#sinceMs = this.#options.elapsedMs();
      return chunk.length;
    }
    const { text, next } = this.#heads;
    const head = found === 'whole' ? this.#headReader.read(text) : found;
    if (isBroken(head)) {
      this.#refuse(head);
      return chunk.length;
    }
    this.#heads.clear();
    this.#emptyLine = 'none';
    this.#begin(head);
    return next;
  }

  #begin(head: RequestHead): void {
    const { bodyBytes } = head;
    const { minorVersion, isKept } = this.#headReader;
    this.#requests++;
    const exchange = new ServerExchange(this, head, minorVersion, isKept);
    if (bodyBytes === 0) {
      this.#reading = { kind: 'answer', exchange };
    } else {
      this.#reading = { kind: 'body', exchange };
      this.#bodyReader.begin(bodyBytes ?? 'chunked');
    }
    exchange.serve(this.#serve);
    if (bodyBytes === 0 && this.#exchange === exchange) exchange.requestEnded([]);
  }

  #readBody(exchange: ServerExchange, chunk: Buffer, from: number): number {
    const reader = this.#bodyReader;
    const at = reader.read(chunk, from);
    const data = reader.take();
    if (data !== undefined && exchange.pushBytes(data) === 'pause') this.#pause();
    // Whoever was given the bytes may have ended it all.
    if (this.#exchange !== exchange) return at;
    if (reader.broken !== undefined) {
      this.#breakRequest(exchange, reader.broken);
      return chunk.length;
    }
    if (!reader.isDone) return at;
    this.#reading = { kind: 'answer', exchange };
    if (exchange.isAnswered) this.#next();
    else exchange.requestEnded(reader.trailers);
    return at;
  }

  #breakRequest(exchange: ServerExchange, broken: Broken): void {
    const { isAnswered } = exchange;
    exchange.lost(broken.failure);
    if (!exchange.hasHead) {
      this.#refuse(broken);
      return;
    }
    this.#options.offence?.(broken.failure);
    if (isAnswered) this.#linger();
    else this.outbox.destroy();
  }

  /**
   * The exchange is over on both sides. Whoever does not read its answers is not served another one: they would wait here,
   * as many as it likes to ask for.
   */
  #next(): void {
    this.#sinceMs = this.#options.elapsedMs();
    if (this.outbox.isBlocked) return;
    this.#reading = AT_HEAD;
    this.resumeReading();
    if (this.#ahead.length > 0) this.#replay();
    else if (this.#isDraining) this.#linger();
  }

  #holdAhead(chunk: Buffer): void {
    this.#ahead.push(chunk);
    this.#aheadBytes += chunk.length;
    if (this.#aheadBytes > this.#limits.aheadBytesMax) this.#pause();
  }

  /** Not at once: whoever wrote the end of an answer does not expect the next request before that call returns. */
  #replay(): void {
    queueMicrotask(() => {
      const chunk = this.#ahead.length === 1 ? this.#ahead[0] : Buffer.concat(this.#ahead);
      this.#ahead = [];
      this.#aheadBytes = 0;
      if (chunk !== undefined) this.#consume(chunk);
    });
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#link.pause();
  }

  #refuse(broken: Broken): void {
    const { failure, status } = broken;
    this.#options.offence?.(failure);
    writeRefusal((this.#options.refusal ?? plainRefusal)(failure, status), this.outbox);
    this.#linger();
  }

  #linger(): void {
    const { kind } = this.#reading;
    if (kind === 'lingering' || kind === 'closed') return;
    this.#reading = new Lingering(this.outbox, this.#options, this.#limits.lingerBytesMax);
    this.#heads.clear();
    this.#ahead = [];
    this.#aheadBytes = 0;
    this.resumeReading();
  }
}
