// A tunnel from a peer: its stream becomes a call of that kind, and bytes both ways. Either way may end before the other; the
// stream ends with the later.
import type { TunnelCall } from '../../api/call.ts';
import { type Flow, type ReplyEnd, type ReplyHead, SWITCHING } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import { headerValue, NO_HEADERS } from '../../api/headers.ts';
import { decodeUnaryRequest } from '../../api/proto/peer-decoding.ts';
import { encodeUnaryReply } from '../../api/proto/peer-encoding.ts';
import type { TunnelMessage } from '../../api/proto/tunnel.ts';
import { carriedProtocol } from '../../api/upgrade.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { excerpt } from '../../kit/text.ts';
import { atTurnEnd } from '../../kit/turn.ts';
import type { RequestHead, RequestReceiver, Responder } from '../../wire/message.ts';
import { unreadable } from '../link/messages.ts';
import { TunnelReader, TunnelWriter } from '../link/tunnelled.ts';
import { readPeerCall } from './peer-call.ts';
import { NOT_WANTED, OK_TRAILERS, PeerReplyStream } from './peer-reply-stream.ts';
import { HALF_A_CALL, PeerRequest, type PeerRequestDeps } from './peer-request.ts';

export interface PeerTunnelDeps extends PeerRequestDeps {
  /** Beside WebSocket. */
  readonly upgradeProtocols: readonly string[];
}

export function servePeerTunnel(head: RequestHead, responder: Responder, deps: PeerTunnelDeps): RequestReceiver {
  const request = new TunnelRequest(headerValue(head.fields, 'grpc-timeout'), responder, deps);
  atTurnEnd(request);
  return request;
}

const NO_BYTES = Buffer.alloc(0);

class TunnelRequest extends PeerRequest<TunnelMessage, PeerTunnelDeps> {
  protected override readonly reply: TunnelReply;

  constructor(grpcTimeout: string | undefined, responder: Responder, deps: PeerTunnelDeps) {
    super(grpcTimeout, new TunnelReader(), deps);
    this.reply = new TunnelReply(responder, this);
  }

  override end(): void {
    const { state } = this;
    if (state.kind === 'ended') return;
    if (state.kind !== 'open' || !this.reader.isComplete) {
      this.refuse(HALF_A_CALL);
      return;
    }
    state.request.end(NO_HEADERS);
    this.reply.requestEnded();
  }

  protected override take({ head, protocol, data }: TunnelMessage): Flow {
    if (head !== undefined) this.begin(this.#read(head, protocol));
    return data === undefined || this.state.kind !== 'open' ? 'ok' : this.state.request.data(data);
  }

  #read(head: Buffer, protocol: string): Result<TunnelCall, Fault> {
    const message = decodeUnaryRequest(head);
    if (!message.ok) return err(unreadable(message.error));
    const call = readPeerCall(message.value.head, this.grpcTimeout, this.deps);
    if (!call.ok) return call;
    const carried = carriedProtocol(call.value.method, protocol, this.deps.upgradeProtocols);
    if (carried === undefined) return err(notCarried(protocol));
    return ok({ ...call.value, kind: 'tunnel', protocol: carried, bodyBytes: undefined });
  }
}

function notCarried(protocol: string): Fault {
  return fault(
    'unimplemented',
    `the sidecar of the called app carries no upgrade to "${excerpt(protocol)}"; start it with --upgrade-protocols, as the caller's, if it should.`,
  );
}

class TunnelReply extends PeerReplyStream implements ReplyEnd {
  readonly #writer = new TunnelWriter(this);
  #isTunnel = false;
  #isRequestOver = false;
  #isReplyOver = false;

  head({ status, headers, bodyBytes }: ReplyHead): void {
    this.#isTunnel = status === SWITCHING;
    const all = bodyBytes === undefined ? headers : [...headers, 'content-length', String(bodyBytes)];
    this.#writer.head(encodeUnaryReply({ status, headers: all }, NO_BYTES));
  }

  data(chunk: Buffer): Flow {
    return this.#writer.data(chunk);
  }

  /** gRPC ends a stream with the reply; so in a tunnel that the caller has not ended yet, it is a message that says so. */
  end(): void {
    if (this.state === 'ended') return;
    this.#isReplyOver = true;
    if (this.#isTunnel) this.#writer.end();
    if (!this.#isTunnel || this.#isRequestOver) this.finish(OK_TRAILERS);
  }

  /** Of the tunnel, the caller writes no more. */
  requestEnded(): void {
    this.#isRequestOver = true;
    if (this.#isReplyOver && this.state !== 'ended') this.finish(OK_TRAILERS);
  }

  abort(reason: Fault): void {
    if (this.state !== 'ended') this.finish(faultTrailers(reason));
  }

  /** Nothing is left of a tunnel then (E6). */
  cancel(reason: Fault): void {
    if (this.#isTunnel) this.abort(reason);
    else this.responder.cancel(NOT_WANTED);
  }
}
