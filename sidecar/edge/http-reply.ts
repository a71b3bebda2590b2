// An answer to the app on HTTP/1.1: a call's reply, a page of the sidecar's own, or a refusal.
import type { Flow, ReplyEnd, ReplyHead } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { type Headers, headerValue, NO_HEADERS } from '../../api/headers.ts';
import { GIVEN_UP, type Responder } from '../../wire/message.ts';
import { fromGrpcApp } from './grpc-app-reply.ts';
import { httpRefusal, type StatusStyle } from './refuse.ts';

/** The responder minds who may say what when: a client that went away, or was answered already, is told nothing more. */
export class HttpReply implements ReplyEnd {
  readonly #responder: Responder;
  readonly #statuses: StatusStyle;
  #hasHead = false;
  /** The trace of the call, for the caller to find it by, unless the app says another. */
  traceparent: string | undefined;

  constructor(responder: Responder, statuses: StatusStyle) {
    this.#responder = responder;
    this.#statuses = statuses;
  }

  head(reply: ReplyHead): void {
    if (reply.grpc === undefined && reply.dataTypeUrl === undefined) {
      this.#head(reply);
      return;
    }
    const { head, body } = fromGrpcApp(reply);
    this.#head(head);
    if (body !== undefined) this.#responder.data(body);
  }

  data(chunk: Buffer): Flow {
    return this.#responder.data(chunk);
  }

  end(trailers: Headers): void {
    this.#responder.end(trailers);
  }

  /** Before the head a fault is an answer; after it, all that can be said is that the answer is not whole. */
  abort(reason: Fault): void {
    if (this.#hasHead) this.#responder.abort(GIVEN_UP);
    else this.refuse(reason);
  }

  resume(): void {
    this.#responder.resume();
  }

  cancel(_reason: Fault): void {
    this.#responder.cancel(GIVEN_UP);
  }

  /** The client waits for this before it sends its body. One that was refused meanwhile does not get it. */
  askForBody(): void {
    this.#responder.informational(100, []);
  }

  refuse(reason: Fault): void {
    const { head, body } = httpRefusal(reason, this.#statuses);
    this.whole(head.status, head.fields, body);
  }

  /** An answer in one piece. */
  whole(status: number, headers: Headers, body: Buffer): void {
    this.#hasHead = true;
    this.#responder.head({ status, fields: headers, bodyBytes: body.length });
    this.#responder.data(body);
    this.#responder.end(NO_HEADERS);
  }

  #head({ status, headers, bodyBytes }: ReplyHead): void {
    this.#hasHead = true;
    const isTraced = this.traceparent === undefined || headerValue(headers, 'traceparent') !== undefined;
    const fields = isTraced ? headers : [...headers, 'traceparent', this.traceparent ?? ''];
    this.#responder.head({ status, fields, bodyBytes });
  }
}
