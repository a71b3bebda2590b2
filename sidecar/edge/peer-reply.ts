// The reply to a peer: its messages on the stream of the call, and the gRPC status that ends it.
import type { Flow, GrpcOutcome, ReplyEnd, ReplyHead } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import type { Headers } from '../../api/headers.ts';
import type { ReplyHeadMessage } from '../../api/proto/peer.ts';
import { encodeReply, encodeUnaryReply } from '../../api/proto/peer-encoding.ts';
import type { Responder, ResponseHead } from '../../wire/message.ts';
import type { FrameSink, MessageWriter } from '../link/messages.ts';
import { StreamWriter } from '../link/streamed.ts';
import { UnaryWriter } from '../link/unary.ts';

/** What the reply asks of the request that it answers. */
export interface AnsweredRequest {
  refuse(reason: Fault): void;
  ended(): void;
}

export class PeerReply implements ReplyEnd, FrameSink {
  readonly #responder: Responder;
  readonly #request: AnsweredRequest;
  readonly #writer: MessageWriter<ReplyHeadMessage>;
  #state: 'none' | 'headed' | 'ended' = 'none';

  constructor(responder: Responder, isUnary: boolean, request: AnsweredRequest) {
    this.#responder = responder;
    this.#request = request;
    this.#writer = isUnary
      ? new UnaryWriter(encodeUnaryReply, this, () => request.refuse(TOO_LARGE_FOR_UNARY))
      : new StreamWriter<ReplyHeadMessage>(encodeReply, this);
  }

  head(head: ReplyHead): void {
    const { status, headers, bodyBytes, grpc, dataTypeUrl } = head;
    const all = bodyBytes === undefined ? headers : [...headers, 'content-length', String(bodyBytes)];
    if (grpc !== undefined) this.#writer.head(statusAlone(grpc, headers));
    else if (dataTypeUrl !== undefined) this.#writer.head({ status, headers: all, dataTypeUrl });
    else this.#writer.head({ status, headers: all });
  }

  data(chunk: Buffer): Flow {
    return this.#writer.data(chunk);
  }

  end(trailers: Headers): void {
    if (this.#state === 'ended') return;
    this.#writer.end(trailers);
    this.#finish(OK_TRAILERS);
  }

  abort(reason: Fault): void {
    if (this.#state === 'ended') return;
    this.#writer.drop();
    this.#finish(faultTrailers(reason));
  }

  resume(): void {
    this.#responder.resume();
  }

  cancel(_reason: Fault): void {
    this.#responder.cancel(NOT_WANTED);
  }

  send(bytes: Buffer): Flow {
    if (this.#state === 'ended') return 'ok';
    if (this.#state === 'none') this.#responder.head(GRPC_RESPONSE);
    this.#state = 'headed';
    return this.#responder.data(bytes);
  }

  #finish(trailers: Headers): void {
    if (this.#state === 'headed') {
      this.#responder.end(trailers);
    } else {
      this.#responder.head({ ...GRPC_RESPONSE, fields: [...GRPC_RESPONSE.fields, ...trailers] });
      this.#responder.end([]);
    }
    this.#state = 'ended';
    this.#request.ended();
  }
}

/** A code below 100 tells a Dapr sidecar, too, that it is none of HTTP. */
function statusAlone({ code, message, details }: GrpcOutcome, headers: Headers): ReplyHeadMessage {
  return { status: code, message, details, headers };
}

export const GRPC_RESPONSE: ResponseHead = {
  status: 200,
  fields: ['content-type', 'application/grpc'],
  bodyBytes: undefined,
};
export const OK_TRAILERS: Headers = ['grpc-status', '0'];
export const NOT_WANTED = { kind: 'reset', reason: 'the rest of the request is not wanted' } as const;
const TOO_LARGE_FOR_UNARY = fault(
  'app-broke',
  'the answer is too large for a unary call; the caller has to stream it.',
);
