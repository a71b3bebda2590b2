// A peer's answer to one attempt: its messages become a pushed reply, its gRPC trailers say how it went.
import type { Flow, ReplyEnd } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { faultOfTrailers } from '../../api/grpc-status.ts';
import { type Headers, headersFromPeer, headerValue } from '../../api/headers.ts';
import type { ReplyHeadMessage, StreamMessage } from '../../api/proto/peer.ts';
import { decodeUnaryReply } from '../../api/proto/peer-decoding.ts';
import { REPLY_CODEC, StreamReader } from '../link/streamed.ts';
import { UNARY_BYTES_MAX, UnaryReader } from '../link/unary.ts';
import { type Answered, CUT_SHORT, MessageAnswer } from './message-answer.ts';
import { readReplyHead } from './reply-head.ts';

/** The attempt at a call; each of these ends it, too. */
export interface AnsweredCall extends Answered {
  complete(trailers: Headers): void;
  fail(reason: Fault): void;
  /** The peer does not know the method, and is none of ours. */
  downgraded(): void;
}

const GRPC_UNIMPLEMENTED = '12';

export class PeerAnswer extends MessageAnswer<StreamMessage<ReplyHeadMessage>, AnsweredCall> {
  #sawHead = false;
  /** A gRPC status other than OK: it is the whole of the answer, whatever comes with it. */
  #isStatusAlone = false;
  #httpTrailers: Headers = [];

  constructor(attempt: AnsweredCall, reply: ReplyEnd, isUnary: boolean) {
    super(attempt, reply, isUnary ? new UnaryReader(decodeUnaryReply, UNARY_BYTES_MAX) : new StreamReader(REPLY_CODEC));
  }

  override end(trailers: Headers): void {
    if (!this.attempt.isOpen) return;
    const said = trailers.length > 0 ? trailers : this.headFields;
    const refused = faultOfTrailers(said);
    if (refused !== undefined) {
      if (isUnknownMethod(said)) this.attempt.downgraded();
      else this.attempt.fail(refused);
    } else if (!this.#sawHead || !this.reader.isComplete) {
      this.attempt.broke(CUT_SHORT);
    } else {
      this.attempt.complete(this.#httpTrailers);
    }
  }

  protected override take({ head, data, trailers }: StreamMessage<ReplyHeadMessage>): Flow {
    if (head !== undefined && this.attempt.isOpen) this.#head(head);
    if (trailers.length > 0) this.#trailers(trailers);
    if (data === undefined || this.#isStatusAlone || !this.attempt.isOpen) return 'ok';
    return this.reply.data(data);
  }

  #trailers(trailers: Headers): void {
    const travelling = headersFromPeer(trailers);
    if (travelling.ok) this.#httpTrailers = travelling.value;
    else this.attempt.broke(travelling.error);
  }

  #head(message: ReplyHeadMessage): void {
    const head = readReplyHead(message);
    this.#sawHead = true;
    if (!head.ok) {
      this.attempt.broke(head.error);
      return;
    }
    if (message.trailers !== undefined) this.#trailers(message.trailers);
    this.#isStatusAlone = head.value.grpc !== undefined;
    this.reply.head(head.value);
  }
}

function isUnknownMethod(trailers: Headers): boolean {
  return (
    headerValue(trailers, 'grpc-status') === GRPC_UNIMPLEMENTED && headerValue(trailers, 'invoke-fault') === undefined
  );
}
