// A peer's answer to one attempt: its messages become a pushed reply, its gRPC trailers say how it went.
import type { Flow, ReplyEnd } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { faultOfTrailers } from '../../api/grpc-status.ts';
import { type Headers, headersFromPeer, headerValue } from '../../api/headers.ts';
import type { ReplyHeadMessage, StreamMessage } from '../../api/proto/peer.ts';
import { decodeUnaryReply } from '../../api/proto/peer-decoding.ts';
import type { ResponseHead, ResponseReceiver, WireFailure } from '../../wire/message.ts';
import type { MessageReader } from '../link/messages.ts';
import { REPLY_CODEC, StreamReader } from '../link/streamed.ts';
import { UNARY_BYTES_MAX, UnaryReader } from '../link/unary.ts';
import { readReplyHead } from './reply-head.ts';

/** The attempt, told how its answer went; each of these but `mayGoOn` ends it. */
export interface Answered {
  /** Whether anything is still to be told. */
  readonly isOpen: boolean;
  mayGoOn(): void;
  complete(trailers: Headers): void;
  fail(reason: Fault): void;
  /** The peer does not know the method, and is none of ours. */
  downgraded(): void;
  broke(cause: string): void;
  lost(failure: WireFailure): void;
}

const GRPC_UNIMPLEMENTED = '12';

export class PeerAnswer implements ResponseReceiver {
  readonly #attempt: Answered;
  readonly #reply: ReplyEnd;
  readonly #reader: MessageReader<StreamMessage<ReplyHeadMessage>>;
  /** Of an answer that is nothing but a status. */
  #headFields: Headers = [];
  #sawHead = false;
  /** A gRPC status other than OK: it is the whole of the answer, whatever comes with it. */
  #isStatusAlone = false;
  #httpTrailers: Headers = [];

  constructor(attempt: Answered, reply: ReplyEnd, isUnary: boolean) {
    this.#attempt = attempt;
    this.#reply = reply;
    this.#reader = isUnary ? new UnaryReader(decodeUnaryReply, UNARY_BYTES_MAX) : new StreamReader(REPLY_CODEC);
  }

  informational(): void {}

  head({ status, fields }: ResponseHead): void {
    if (status === 200) this.#headFields = fields;
    else this.#attempt.broke(`HTTP status ${status}`);
  }

  data(chunk: Buffer): Flow {
    const messages = this.#reader.push(chunk);
    if (!messages.ok) {
      this.#attempt.broke(messages.error.message);
      return 'ok';
    }
    let flow: Flow = 'ok';
    for (const message of messages.value) if (this.#take(message) === 'pause') flow = 'pause';
    return flow;
  }

  end(trailers: Headers): void {
    if (!this.#attempt.isOpen) return;
    const said = trailers.length > 0 ? trailers : this.#headFields;
    const refused = faultOfTrailers(said);
    if (refused !== undefined) {
      if (isUnknownMethod(said)) this.#attempt.downgraded();
      else this.#attempt.fail(refused);
    } else if (!this.#sawHead || !this.#reader.isComplete) {
      this.#attempt.broke('the answer ends before its head, or in the middle of a message');
    } else {
      this.#attempt.complete(this.#httpTrailers);
    }
  }

  abort(failure: WireFailure): void {
    this.#attempt.lost(failure);
  }

  resume(): void {
    this.#attempt.mayGoOn();
  }

  cancel(failure: WireFailure): void {
    this.#attempt.lost(failure);
  }

  #take({ head, data, trailers }: StreamMessage<ReplyHeadMessage>): Flow {
    if (head !== undefined && this.#attempt.isOpen) this.#head(head);
    if (trailers.length > 0) this.#trailers(trailers);
    if (data === undefined || this.#isStatusAlone || !this.#attempt.isOpen) return 'ok';
    return this.#reply.data(data);
  }

  #trailers(trailers: Headers): void {
    const travelling = headersFromPeer(trailers);
    if (travelling.ok) this.#httpTrailers = travelling.value;
    else this.#attempt.broke(travelling.error);
  }

  #head(message: ReplyHeadMessage): void {
    const head = readReplyHead(message);
    this.#sawHead = true;
    if (!head.ok) {
      this.#attempt.broke(head.error);
      return;
    }
    if (message.trailers !== undefined) this.#trailers(message.trailers);
    this.#isStatusAlone = head.value.grpc !== undefined;
    this.#reply.head(head.value);
  }
}

function isUnknownMethod(trailers: Headers): boolean {
  return (
    headerValue(trailers, 'grpc-status') === GRPC_UNIMPLEMENTED && headerValue(trailers, 'invoke-fault') === undefined
  );
}
