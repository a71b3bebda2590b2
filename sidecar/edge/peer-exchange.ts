// One call from a peer: its messages become a Call and a pushed body. The reply goes back by peer-reply.ts.
import type { PlainCall } from '../../api/call.ts';
import type { Flow } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { type Headers, headersFromPeer, headerValue } from '../../api/headers.ts';
import type { RequestHeadMessage, StreamMessage } from '../../api/proto/peer.ts';
import { decodeUnaryRequest } from '../../api/proto/peer-decoding.ts';
import { err, type Result } from '../../kit/result.ts';
import { atTurnEnd } from '../../kit/turn.ts';
import type { RequestHead, RequestReceiver, Responder } from '../../wire/message.ts';
import { unreadable } from '../link/messages.ts';
import { REQUEST_CODEC, StreamReader } from '../link/streamed.ts';
import { UnaryReader } from '../link/unary.ts';
import { readPeerCall } from './peer-call.ts';
import { PeerReply } from './peer-reply.ts';
import { HALF_A_CALL, PeerRequest, type PeerRequestDeps } from './peer-request.ts';

export interface PeerCallDeps extends PeerRequestDeps {
  readonly bodyBytesMax: number;
}

/** CallLocalStream, or CallLocal if `isUnary`. */
export function servePeerCall(
  head: RequestHead,
  responder: Responder,
  isUnary: boolean,
  deps: PeerCallDeps,
): RequestReceiver {
  const request = new CallRequest(headerValue(head.fields, 'grpc-timeout'), responder, isUnary, deps);
  atTurnEnd(request);
  return request;
}

class CallRequest extends PeerRequest<StreamMessage<RequestHeadMessage>, PeerCallDeps> {
  protected override readonly reply: PeerReply;
  #httpTrailers: Headers = [];
  #bodyBytes = 0;

  constructor(grpcTimeout: string | undefined, responder: Responder, isUnary: boolean, deps: PeerCallDeps) {
    const reader = isUnary ? new UnaryReader(decodeUnaryRequest, deps.bodyBytesMax) : new StreamReader(REQUEST_CODEC);
    super(grpcTimeout, reader, deps);
    this.reply = new PeerReply(responder, isUnary, this);
  }

  override end(): void {
    const { state } = this;
    if (state.kind === 'ended') return;
    if (state.kind === 'open' && this.reader.isComplete) state.request.end(this.#httpTrailers);
    else this.refuse(HALF_A_CALL);
  }

  protected override take({ head, data, trailers }: StreamMessage<RequestHeadMessage>): Flow {
    if (head !== undefined && this.state.kind === 'awaiting-head') this.begin(this.#read(head));
    const { state } = this;
    if (state.kind !== 'open') return 'ok';
    if (trailers.length > 0) {
      const travelling = headersFromPeer(trailers);
      if (!travelling.ok) {
        this.refuse(unreadable(travelling.error));
        return 'ok';
      }
      this.#httpTrailers = travelling.value;
    }
    if (data === undefined || data.length === 0) return 'ok';
    this.#bodyBytes += data.length;
    if (this.#bodyBytes <= this.deps.bodyBytesMax) return state.request.data(data);
    this.refuse(tooLarge(this.deps.bodyBytesMax));
    return 'ok';
  }

  #read(head: RequestHeadMessage): Result<PlainCall, Fault> {
    const { bodyBytesMax } = this.deps;
    const call = readPeerCall(head, this.grpcTimeout, this.deps);
    if (!call.ok || call.value.bodyBytes === undefined || call.value.bodyBytes <= bodyBytesMax) return call;
    return err(tooLarge(bodyBytesMax));
  }
}

function tooLarge(bodyBytesMax: number): Fault {
  return fault(
    'body-too-large',
    `the body is larger than ${bodyBytesMax} bytes, which is all that the sidecar of the called app takes; raise its --max-body-size if it should pass.`,
  );
}
