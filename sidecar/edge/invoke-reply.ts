// The answer to InvokeService: a call's reply, gathered into the one message that there is room for, or the gRPC status that says
// what the app said instead.
import type { Flow, GrpcOutcome, ReplyEnd, ReplyHead } from '../../api/exchange.ts';
import { daprGrpcStatus, type Fault, fault } from '../../api/fault.ts';
import { grpcStatusOfHttp } from '../../api/grpc-status.ts';
import { type Headers, headerValue, isMetadataName } from '../../api/headers.ts';
import { encodeErrorInfo } from '../../api/proto/rpc-status.ts';
import { encodeInvokeResponse } from '../../api/proto/runtime.ts';
import { GatheredBytes } from '../../kit/gathered-bytes.ts';
import type { HeldBytes } from '../../kit/held-bytes.ts';
import { Hold } from '../../kit/hold.ts';
import { reasonOf } from '../../wire/http1/write-head.ts';
import type { MethodAnswer } from './grpc-methods.ts';
import type { StatusStyle } from './refuse.ts';

export interface InvokeReplyDeps {
  readonly bodyBytesMax: number;
  readonly held: HeldBytes;
  readonly statuses: StatusStyle;
}

/** What a reply says to the request that it answers. */
export interface RepliedRequest {
  /** Goes on with the body. */
  resume(): void;
  /** The rest of the body is not wanted. */
  stop(): void;
  /** The answer is over; with a fault, because it cannot be had from there. */
  answered(unwanted?: Fault): void;
}

/** Of an error's body no more is told: what a value of ErrorInfo may have, less one. */
const EXCERPT_CHARACTERS_MAX = 63;
const EXCERPT_BYTES_MAX = EXCERPT_CHARACTERS_MAX * 4;
/** gRPC over HTTP/2, "ASCII-Value". */
const ASCII_VALUE = /^[\x20-\x7e]*$/;

export class InvokeReply implements ReplyEnd {
  readonly #answer: MethodAnswer;
  readonly #request: RepliedRequest;
  readonly #deps: InvokeReplyDeps;
  /** The trace of the call, for the caller to find it by, unless the app says another. */
  readonly #traceparent: string | undefined;
  #head: ReplyHead | undefined;
  #body: GatheredBytes;
  readonly #hold: Hold;
  /** The answer is written, and waits for its caller to read it. */
  #isWritten = false;
  #trailers: Headers = [];
  #isOver = false;

  constructor(answer: MethodAnswer, request: RepliedRequest, traceparent: string | undefined, deps: InvokeReplyDeps) {
    this.#answer = answer;
    this.#request = request;
    this.#traceparent = traceparent;
    this.#deps = deps;
    this.#body = new GatheredBytes(deps.bodyBytesMax);
    this.#hold = new Hold(deps.held);
  }

  head(head: ReplyHead): void {
    this.#head = head;
    if (isError(head)) this.#body = new GatheredBytes(EXCERPT_BYTES_MAX);
    else if ((head.bodyBytes ?? 0) > this.#deps.bodyBytesMax) this.#giveUp(answerTooLarge(this.#deps.bodyBytesMax));
  }

  data(chunk: Buffer): Flow {
    if (this.#isOver || this.#head === undefined) return 'ok';
    if (isError(this.#head)) {
      this.#body.push(chunk.subarray(0, EXCERPT_BYTES_MAX - this.#body.length));
    } else if (!this.#hold.take(chunk.length)) {
      this.#giveUp(TOO_MUCH_HELD);
    } else if (!this.#body.push(chunk)) {
      this.#giveUp(answerTooLarge(this.#deps.bodyBytesMax));
    }
    return 'ok';
  }

  end(trailers: Headers): void {
    const head = this.#head;
    if (this.#isOver || head === undefined) return;
    this.#request.stop();
    this.#answer.head(this.#metadataOf(head));
    this.#trailers = metadataOf(trailers);
    if (isError(head)) this.#finish(outcomeOf(head, this.#body.take()));
    else this.#write(head);
  }

  /** At any time: of what was gathered nothing has been sent. */
  abort(reason: Fault): void {
    if (this.#isOver) return;
    this.#settle();
    this.#answer.fail(reason, this.#deps.statuses === 'dapr' ? daprGrpcStatus(reason.code) : undefined);
    this.#request.answered();
  }

  resume(): void {
    this.#request.resume();
  }

  cancel(_reason: Fault): void {
    this.#request.stop();
  }

  /** The caller has read what was written. */
  read(): void {
    if (this.#isWritten && !this.#isOver) this.#finish();
  }

  /** The caller went away. */
  drop(): void {
    if (!this.#isOver) this.#settle();
  }

  #write({ headers, dataTypeUrl = '' }: ReplyHead): void {
    const contentType = headerValue(headers, 'content-type') ?? '';
    const response = encodeInvokeResponse({ dataTypeUrl, body: this.#body.take(), contentType });
    this.#isWritten = true;
    if (this.#answer.message(response) === 'ok') this.#finish();
  }

  #finish(outcome?: GrpcOutcome): void {
    this.#settle();
    this.#answer.finish(outcome, this.#trailers);
    this.#request.answered();
  }

  #giveUp(reason: Fault): void {
    this.#settle();
    this.#answer.fail(reason);
    this.#request.answered(reason);
  }

  #settle(): void {
    this.#isOver = true;
    this.#body.take();
    this.#hold.release();
  }

  #metadataOf({ status, headers }: ReplyHead): Headers {
    const metadata = [...metadataOf(headers), 'dapr-http-status', String(status)];
    const isTraced = this.#traceparent === undefined || headerValue(headers, 'traceparent') !== undefined;
    return isTraced ? metadata : [...metadata, 'traceparent', this.#traceparent ?? ''];
  }
}

function isError({ status, grpc }: ReplyHead): boolean {
  return grpc === undefined ? grpcStatusOfHttp(status) !== 0 : grpc.code !== 0;
}

/** The app's own status, as it said it by gRPC, or as gRPC says an HTTP status. */
function outcomeOf({ status, grpc }: ReplyHead, body: Buffer): GrpcOutcome {
  if (grpc !== undefined) return grpc;
  const reason = reasonOf(status) ?? '';
  const text = [...body.toString('utf8')].slice(0, EXCERPT_CHARACTERS_MAX).join('');
  const metadata = { 'http.code': String(status), 'http.error_message': text };
  return {
    code: grpcStatusOfHttp(status),
    message: reason === '' ? `HTTP status ${status}` : reason,
    details: [encodeErrorInfo({ reason, domain: 'dapr.io', metadata })],
  };
}

/** An app's headers as metadata: without those that mean something here or to gRPC itself, or that it has no characters for. */
function metadataOf(headers: Headers): Headers {
  const metadata: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]];
    if (name === 'content-type' || name === 'dapr-http-status') continue;
    if (isMetadataName(name) && ASCII_VALUE.test(value)) metadata.push(name, value);
  }
  return metadata;
}

const TOO_MUCH_HELD = fault(
  'body-too-large',
  'the answers that are under way on this port hold all the memory that there is for them; call over HTTP, which has no need to hold them.',
);

function answerTooLarge(bodyBytesMax: number): Fault {
  return fault(
    'body-too-large',
    `the answer is larger than ${bodyBytesMax} bytes, which is all that InvokeService carries here; call over HTTP, or raise --max-body-size. The app has seen the call.`,
  );
}
