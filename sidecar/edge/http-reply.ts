// A reply to the app: pushed chunks to an HTTP/1.1 response.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Flow, ReplyEnd, ReplyHead } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { contentLength, type Headers, headerPairs, headerValue } from '../../api/headers.ts';
import type { Clock } from '../../kit/clock.ts';
import { lingerOnClose } from './linger.ts';
import { httpRefusal, type StatusStyle } from './refuse.ts';

export interface HttpReplyDeps {
  readonly clock: Clock;
  readonly statuses: StatusStyle;
}

/** What the reply asks of the request's reader. */
export interface RequestSteering {
  resume(): void;
  /** Read the rest and throw it away. */
  discard(): void;
}

export class HttpReply implements ReplyEnd {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #deps: HttpReplyDeps;
  readonly #steering: RequestSteering;
  readonly #traceparent: string | undefined;
  #declaredBytes: number | undefined;
  #writtenBytes = 0;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    traceparent: string | undefined,
    steering: RequestSteering,
    deps: HttpReplyDeps,
  ) {
    this.#request = request;
    this.#response = response;
    this.#traceparent = traceparent;
    this.#steering = steering;
    this.#deps = deps;
  }

  head({ status, headers, bodyBytes }: ReplyHead): void {
    const hasBody = this.#request.method !== 'HEAD' && status !== 204 && status !== 304;
    this.#declaredBytes = hasBody ? bodyBytes : 0;
    const length: Headers = bodyBytes === undefined || status === 204 ? [] : ['content-length', String(bodyBytes)];
    const isTraced = this.#traceparent === undefined || headerValue(headers, 'traceparent') !== undefined;
    const trace: Headers = isTraced ? [] : ['traceparent', this.#traceparent ?? ''];
    // Should the answer end before the request does, the connection ends with it; that has to be said now.
    if (!this.#isRequestOver) this.#response.shouldKeepAlive = false;
    this.#response.writeHead(status, [...headers, ...length, ...trace]);
    // A body that is slow to come must not hold back its head.
    setImmediate(() => {
      if (!this.#response.headersSent || this.#response.writableEnded || this.#response.destroyed) return;
      this.#response.flushHeaders();
    });
  }

  data(chunk: Buffer): Flow {
    if (this.#response.destroyed) return 'ok';
    this.#writtenBytes += chunk.length;
    if (this.#declaredBytes !== undefined && this.#writtenBytes > this.#declaredBytes) {
      this.#breakOff();
      return 'ok';
    }
    return this.#response.write(chunk) ? 'ok' : 'pause';
  }

  end(trailers: Headers): void {
    if (this.#declaredBytes !== undefined && this.#writtenBytes !== this.#declaredBytes) {
      this.#breakOff();
      return;
    }
    if (!this.#isRequestOver) this.#closeAfterThis();
    if (trailers.length > 0) this.#response.addTrailers(headerPairs(trailers));
    this.#response.end();
  }

  /** Before the head a fault is an answer; after it, all that can be said is that the answer is not whole. */
  abort(reason: Fault): void {
    if (this.#response.headersSent || this.#response.destroyed) this.#breakOff();
    else this.refuse(reason);
  }

  resume(): void {
    this.#steering.resume();
  }

  cancel(_reason: Fault): void {
    this.#steering.discard();
  }

  refuse(reason: Fault): void {
    const { status, headers, body } = httpRefusal(reason, this.#deps.statuses);
    if (!this.#isRequestOver) this.#closeAfterThis();
    this.#response.writeHead(status, [...headers]);
    this.#response.end(this.#request.method === 'HEAD' ? undefined : body);
  }

  /** A request without a body is over with its head, though the parser says so only once that is dealt with. */
  get #isRequestOver(): boolean {
    const { complete, rawHeaders } = this.#request;
    if (complete) return true;
    return headerValue(rawHeaders, 'transfer-encoding') === undefined && (contentLength(rawHeaders) ?? 0) === 0;
  }

  #breakOff(): void {
    this.#response.destroy();
  }

  /** The answer comes before the end of the request: this connection ends with it. */
  #closeAfterThis(): void {
    this.#response.shouldKeepAlive = false;
    lingerOnClose(this.#request.socket, this.#deps.clock);
    this.#steering.discard();
  }
}
