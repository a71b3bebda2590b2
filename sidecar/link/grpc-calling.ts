// A native gRPC call as it goes out, to a peer, to the app or out of the mesh: a way's exchange to a stream of HTTP/2, and the answer back.
// Messages pass as they are. What a failure means is said by the subclasses.
import type { Flow, ReplyEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { grpcEndToEnd, type Headers, headerValue } from '../../api/headers.ts';
import { excerpt } from '../../kit/text.ts';
import { HEAD_TOO_LARGE } from '../../wire/http2/client.ts';
import type { ResponseHead, ResponseReceiver, WireFailure } from '../../wire/message.ts';
import { isGrpc } from './grpc-serving.ts';
import { type ConnectionSource, StreamAttempt } from './stream-attempt.ts';

const METADATA_TOO_LARGE = fault(
  'headers-too-large',
  'the metadata of the call is larger than the called app or service, or its sidecar, takes; nothing reached it.',
);

export abstract class GrpcAttempt<Why, Source extends ConnectionSource<Why>> extends StreamAttempt<Why, Source> {
  /** The fault that an answer's status tells of; undefined where the status is the app's own. */
  abstract faultIn(status: Headers): Fault | undefined;
  /** Proven: nobody has looked at the call. */
  abstract notSeen(cause: string): Fault;
  abstract broke(cause: string): Fault;
  /** Who answers does not speak gRPC. */
  abstract noGrpc(cause: string): Fault;

  protected override answer(): ResponseReceiver {
    return new GrpcAnswer(this, this.reply);
  }
}

type Attempt = GrpcAttempt<unknown, ConnectionSource<unknown>>;

class GrpcAnswer implements ResponseReceiver {
  readonly #attempt: Attempt;
  readonly #reply: ReplyEnd;
  /** The status came with the head, and the answer is nothing else (Trailers-Only). */
  #isStatusAlone = false;
  /** A sidecar's fault, and no answer of the app. */
  #refused: Fault | undefined;

  constructor(attempt: Attempt, reply: ReplyEnd) {
    this.#attempt = attempt;
    this.#reply = reply;
  }

  informational(): void {}

  head({ status, fields, neverIndexed }: ResponseHead): void {
    if (status !== 200 || !isGrpc(fields)) {
      const type = headerValue(fields, 'content-type') ?? 'none';
      this.#attempt.fail(
        this.#attempt.noGrpc(`it answered with HTTP status ${status} and content-type ${excerpt(type)}`),
      );
      return;
    }
    this.#isStatusAlone = headerValue(fields, 'grpc-status') !== undefined;
    if (this.#isStatusAlone) this.#refused = this.#attempt.faultIn(fields);
    if (this.#refused !== undefined) return;
    const headers = grpcEndToEnd(fields);
    this.#reply.head({ status, headers, bodyBytes: undefined, ...(neverIndexed && { neverIndexed }) });
  }

  data(chunk: Buffer): Flow {
    return this.#refused === undefined ? this.#reply.data(chunk) : 'ok';
  }

  end(trailers: Headers): void {
    const attempt = this.#attempt;
    const hasStatus = this.#isStatusAlone || headerValue(trailers, 'grpc-status') !== undefined;
    const refused = this.#refused ?? attempt.faultIn(trailers);
    if (refused !== undefined) attempt.fail(refused);
    else if (hasStatus) attempt.complete(grpcEndToEnd(trailers));
    else attempt.fail(attempt.broke('its answer ended without a grpc-status'));
  }

  /** `refused` proves that nobody has looked at the call. */
  abort(failure: WireFailure): void {
    const { kind, reason } = failure;
    if (failure === HEAD_TOO_LARGE) this.#attempt.fail(METADATA_TOO_LARGE);
    else this.#attempt.fail(kind === 'refused' ? this.#attempt.notSeen(reason) : this.#attempt.broke(reason));
  }

  resume(): void {
    this.#reply.resume();
  }

  cancel(failure: WireFailure): void {
    this.abort(failure);
  }
}
