// One request and its answer: the only object that a request costs. It takes the answer, and minds what may still be
// said to whom once either side has given up.
import type {
  Fields,
  Flow,
  RequestHead,
  RequestReceiver,
  Responder,
  ResponseHead,
  Serve,
  WireFailure,
} from '../message.ts';
import type { BodyWriter } from './body-writer.ts';
import type { Outbox } from './outbox.ts';
import { writeInformational, writeResponseHead, writeSwitchingHead } from './write-head.ts';

/** What an exchange needs of its connection. */
export interface ExchangeHost {
  readonly outbox: Outbox;
  readonly body: BodyWriter;
  /** Whether the connection can live on after this exchange, as far as it knows itself. */
  readonly isKept: boolean;
  resumeReading(): void;
  answered(exchange: ServerExchange): void;
  unanswered(exchange: ServerExchange): void;
  switched(exchange: ServerExchange): void;
  /** The answer cannot be written as it was given. */
  failed(rule: string): void;
}

type Answer =
  | 'none'
  | 'body'
  /** A tunnel, whose bytes go both ways until each side has ended. */
  | 'tunnel'
  | 'ended'
  /** It cannot be written as it was given: nothing more is taken, and the receiver hears when the link has closed. */
  | 'broken'
  /** Cut off, by either side. */
  | 'gone';

export class ServerExchange implements Responder {
  readonly #host: ExchangeHost;
  readonly #request: RequestHead;
  readonly #minorVersion: number;
  /** Whether the client would send another request on this connection. */
  readonly #isKept: boolean;
  #receiver: RequestReceiver | undefined;
  #answer: Answer = 'none';
  /** The request's message towards the receiver. */
  #pushed: 'open' | 'ended' | 'unwanted' = 'open';
  #isPaused = false;
  #isContinued = false;
  #hasBytes = false;
  #isTunnel = false;
  isLast = false;
  hasHead = false;
  /** Whether its answer, cut short, could not pass for a whole one. */
  isDelimited = true;

  constructor(host: ExchangeHost, request: RequestHead, minorVersion: number, isKept: boolean) {
    this.#host = host;
    this.#request = request;
    this.#minorVersion = minorVersion;
    this.#isKept = isKept;
  }

  serve(serve: Serve): void {
    this.#receiver = serve(this.#request, this);
  }

  get isAnswered(): boolean {
    return this.#answer === 'ended';
  }

  /** A client that still waits for 100 may send its body or not: nobody can tell what comes next. */
  get isBodyWithheld(): boolean {
    return this.#request.expectsContinue && !this.#isContinued && !this.#hasBytes;
  }

  // What the connection has read.

  pushBytes(bytes: Buffer): Flow {
    this.#hasBytes = true;
    if (this.#pushed !== 'open' || !this.#isLive) return 'ok';
    return this.#receiver?.data(bytes) ?? 'ok';
  }

  /** A request for a tunnel goes on with the tunnel's bytes, so its end is the tunnel's. */
  requestEnded(trailers: Fields): void {
    if (this.#pushed !== 'open' || !this.#isLive || this.#asksForTunnel) return;
    this.#pushed = 'ended';
    this.#receiver?.end(trailers);
  }

  tunnelEnded(): void {
    if (this.#pushed !== 'open' || !this.#isLive) return;
    this.#pushed = 'ended';
    this.#receiver?.end([]);
  }

  drained(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#isLive) this.#receiver?.resume();
  }

  /** The client is gone, or what it says is no HTTP any more. */
  lost(failure: WireFailure): void {
    if (!this.#isLive) return;
    this.#answer = 'gone';
    if (this.#pushed === 'open') this.#receiver?.abort(failure);
    else this.#receiver?.cancel(failure);
  }

  // What is said against the request.

  resume(): void {
    this.#host.resumeReading();
  }

  cancel(_failure: WireFailure): void {
    if (this.#pushed === 'open') this.#pushed = 'unwanted';
    if (this.#isTunnel && this.#answer === 'ended') this.#host.answered(this);
    else this.#host.resumeReading();
  }

  // The answer.

  informational(status: number, fields: Fields): void {
    if (this.#answer !== 'none' || this.#minorVersion === 0) return;
    const written = writeInformational(status, fields);
    if (!written.ok) {
      this.#fail(written.error);
      return;
    }
    this.#isContinued ||= status === 100;
    this.#host.outbox.text(written.value);
  }

  head(head: ResponseHead): void {
    if (this.#answer !== 'none') return;
    const { method, upgrade } = this.#request;
    const isSwitching = head.status === 101 ? upgrade !== undefined : method === 'CONNECT' && isSuccess(head.status);
    if (isSwitching) this.#switch(head);
    else this.#plainHead(head);
  }

  data(chunk: Buffer): Flow {
    if (this.#answer !== 'body' && this.#answer !== 'tunnel') return 'ok';
    const { outbox, body } = this.#host;
    if (this.#answer === 'tunnel') {
      outbox.bytes(chunk);
    } else {
      const flaw = body.data(chunk);
      if (flaw !== undefined) {
        this.#fail(flaw);
        return 'ok';
      }
    }
    if (!outbox.isBlocked) return 'ok';
    this.#isPaused = true;
    return 'pause';
  }

  end(trailers: Fields): void {
    if (this.#answer === 'tunnel') {
      this.#answer = 'ended';
      this.#host.outbox.end();
      if (this.#pushed !== 'open') this.#host.answered(this);
      return;
    }
    if (this.#answer !== 'body') return;
    const flaw = this.#host.body.end(trailers);
    if (flaw !== undefined) {
      this.#fail(flaw);
      return;
    }
    this.#answer = 'ended';
    this.#host.answered(this);
  }

  abort(_failure: WireFailure): void {
    if (!this.#isLive) return;
    this.#answer = 'gone';
    this.#host.unanswered(this);
  }

  /** Of a tunnel our end may be over and theirs not. */
  get #isLive(): boolean {
    if (this.#answer === 'ended') return this.#isTunnel && this.#pushed === 'open';
    return this.#answer !== 'gone';
  }

  get #asksForTunnel(): boolean {
    const { method, upgrade } = this.#request;
    return upgrade !== undefined || method === 'CONNECT';
  }

  #switch(head: ResponseHead): void {
    const written = writeSwitchingHead(head);
    if (!written.ok) {
      this.#fail(written.error);
      return;
    }
    this.hasHead = true;
    this.isLast = true;
    this.isDelimited = false;
    this.#isTunnel = true;
    this.#answer = 'tunnel';
    this.#host.outbox.text(written.value);
    this.#host.switched(this);
  }

  #plainHead(head: ResponseHead): void {
    const isKept = this.#isKept && this.#host.isKept;
    const setting = { method: this.#request.method, minorVersion: this.#minorVersion, isKept };
    const written = writeResponseHead(head, setting);
    if (!written.ok) {
      this.#fail(written.error);
      return;
    }
    const { text, delimiting } = written.value;
    this.hasHead = true;
    this.isDelimited = delimiting !== 'close';
    this.isLast = !isKept || !this.isDelimited;
    this.#answer = 'body';
    this.#host.body.begin(delimiting, head.bodyBytes);
    this.#host.outbox.text(text);
  }

  #fail(rule: string): void {
    this.#answer = 'broken';
    this.#host.failed(rule);
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
