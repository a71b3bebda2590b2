// One request of ours and its answer: takes the request's body, and minds what may still be said to whom once either side
// has given up.
import type { Fields, Flow, Requester, RequestHead, ResponseHead, ResponseReceiver, WireFailure } from '../message.ts';
import type { BodyWriter } from './body-writer.ts';
import type { Outbox } from './outbox.ts';

/** What an exchange needs of its connection. */
export interface ClientHost {
  readonly outbox: Outbox;
  readonly body: BodyWriter;
  resumeReading(): void;
  /** The caller has given up. */
  givenUp(exchange: ClientExchange): void;
  /** The request cannot be written as it was given. */
  failed(exchange: ClientExchange, rule: string): void;
}

export class ClientExchange implements Requester {
  readonly #host: ClientHost;
  readonly #head: RequestHead;
  readonly #receiver: ResponseReceiver;
  #request: 'sending' | 'sent' | 'gone' = 'sending';
  #answer: 'open' | 'ended' | 'gone' = 'open';
  #isTunnel = false;
  #isPaused = false;

  constructor(host: ClientHost, head: RequestHead, receiver: ResponseReceiver) {
    this.#host = host;
    this.#head = head;
    this.#receiver = receiver;
  }

  get method(): string {
    return this.#head.method;
  }

  get isRequestSent(): boolean {
    return this.#request === 'sent' || this.#head.bodyBytes === 0;
  }

  isTunnelWith(status: number): boolean {
    if (status === 101) return this.#head.upgrade !== undefined;
    return this.#head.method === 'CONNECT' && status >= 200 && status < 300;
  }

  // What the connection has read.

  informational({ status, fields }: ResponseHead): void {
    if (this.#isLive) this.#receiver.informational(status, fields);
  }

  answered(head: ResponseHead): void {
    if (this.#isLive) this.#receiver.head(head);
  }

  switched(head: ResponseHead): void {
    this.#isTunnel = true;
    if (this.#request === 'sent') this.#host.outbox.end();
    this.#receiver.head(head);
  }

  pushBytes(bytes: Buffer): Flow {
    return this.#isLive ? this.#receiver.data(bytes) : 'ok';
  }

  completed(trailers: Fields): void {
    if (!this.#isLive) return;
    this.#answer = 'ended';
    this.#request = 'gone';
    this.#receiver.end(trailers);
  }

  tunnelEnded(): void {
    if (!this.#isLive) return;
    this.#answer = 'ended';
    this.#receiver.end([]);
  }

  drained(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#request === 'sending') this.#receiver.resume();
  }

  lost(failure: WireFailure): void {
    const wasAnswerOpen = this.#isLive;
    const wasRequestOpen = this.#isTunnel && this.#request === 'sending';
    this.#request = 'gone';
    this.#answer = 'gone';
    if (wasAnswerOpen) this.#receiver.abort(failure);
    else if (wasRequestOpen) this.#receiver.cancel(failure);
  }

  // The request.

  data(chunk: Buffer): Flow {
    if (this.#request !== 'sending') return 'ok';
    const { outbox, body } = this.#host;
    if (this.#isTunnel) outbox.bytes(chunk);
    else {
      const flaw = body.data(chunk);
      if (flaw !== undefined) this.#fail(flaw);
    }
    if (!outbox.isBlocked) return 'ok';
    this.#isPaused = true;
    return 'pause';
  }

  end(trailers: Fields): void {
    if (this.#request !== 'sending') return;
    this.#request = 'sent';
    if (this.#isTunnel) {
      this.#host.outbox.end();
      return;
    }
    const flaw = this.#host.body.end(trailers);
    if (flaw !== undefined) this.#fail(flaw);
  }

  abort(_failure: WireFailure): void {
    this.#giveUp();
  }

  // What is said against the answer.

  resume(): void {
    if (this.#isLive) this.#host.resumeReading();
  }

  cancel(_failure: WireFailure): void {
    this.#giveUp();
  }

  get #isLive(): boolean {
    return this.#answer === 'open';
  }

  #fail(rule: string): void {
    this.#host.failed(this, rule);
    this.lost({ kind: 'malformed', reason: rule });
  }

  #giveUp(): void {
    this.#request = 'gone';
    this.#answer = 'gone';
    this.#host.givenUp(this);
  }
}
