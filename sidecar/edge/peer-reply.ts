// The reply to a call of a peer, as messages.
import type { Flow, GrpcOutcome, ReplyEnd, ReplyHead } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import type { Headers } from '../../api/headers.ts';
import type { ReplyHeadMessage } from '../../api/proto/peer.ts';
import { encodeReply, encodeUnaryReply } from '../../api/proto/peer-encoding.ts';
import type { Responder } from '../../wire/message.ts';
import type { MessageWriter } from '../link/messages.ts';
import { StreamWriter } from '../link/streamed.ts';
import { UnaryWriter } from '../link/unary.ts';
import { type AnsweredRequest, NOT_WANTED, OK_TRAILERS, PeerReplyStream } from './peer-reply-stream.ts';

export class PeerReply extends PeerReplyStream implements ReplyEnd {
  readonly #writer: MessageWriter<ReplyHeadMessage>;

  constructor(responder: Responder, isUnary: boolean, request: AnsweredRequest) {
    super(responder, request);
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
    if (this.state === 'ended') return;
    this.#writer.end(trailers);
    this.finish(OK_TRAILERS);
  }

  abort(reason: Fault): void {
    if (this.state === 'ended') return;
    this.#writer.drop();
    this.finish(faultTrailers(reason));
  }

  cancel(_reason: Fault): void {
    this.responder.cancel(NOT_WANTED);
  }
}

/** A code below 100 tells a Dapr sidecar, too, that it is none of HTTP. */
function statusAlone({ code, message, details }: GrpcOutcome, headers: Headers): ReplyHeadMessage {
  return { status: code, message, details, headers };
}

const TOO_LARGE_FOR_UNARY = fault(
  'app-broke',
  'the answer is too large for a unary call; the caller has to stream it.',
);
