// A native gRPC call as it comes in, from the app or from a peer: the wire's request to a way's exchange, and the reply back.
// Messages pass as they are; only their lengths are looked at.
import type { OutboundCall } from '../../api/call.ts';
import type { Flow, Open, ReplyEnd, ReplyHead, RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import { type Headers, headerValue } from '../../api/headers.ts';
import { GrpcMeter } from '../../wire/grpc-meter.ts';
import { NOBODY, type RequestReceiver, type Responder, type WireFailure } from '../../wire/message.ts';

export interface GrpcServingDeps<C extends OutboundCall> {
  readonly open: Open<C>;
  /** Of one message. */
  readonly bodyBytesMax: number;
}

/** `application/grpc`, alone or with what its messages are made of; `application/grpc-web` is another protocol. */
const GRPC_CONTENT_TYPE = /^application\/grpc($|[+;])/i;

export function isGrpc(fields: Headers): boolean {
  return GRPC_CONTENT_TYPE.test(headerValue(fields, 'content-type') ?? '');
}

export function serveGrpc<C extends OutboundCall>(
  call: C,
  responder: Responder,
  deps: GrpcServingDeps<C>,
): RequestReceiver {
  const reply = new GrpcReply(responder);
  return new GrpcRequest(deps.open(call, reply), reply, deps.bodyBytesMax);
}

/** Answers without a call. */
export function refuseGrpc(responder: Responder, reason: Fault): RequestReceiver {
  new GrpcReply(responder).abort(reason);
  return NOBODY;
}

class GrpcRequest implements RequestReceiver {
  readonly #request: RequestEnd;
  readonly #reply: ReplyEnd;
  readonly #meter: GrpcMeter;
  readonly #messageBytesMax: number;

  constructor(request: RequestEnd, reply: ReplyEnd, messageBytesMax: number) {
    this.#request = request;
    this.#reply = reply;
    this.#messageBytesMax = messageBytesMax;
    this.#meter = new GrpcMeter(messageBytesMax);
  }

  data(chunk: Buffer): Flow {
    if (this.#meter.pass(chunk)) return this.#request.data(chunk);
    const reason = tooLarge(this.#messageBytesMax);
    this.#request.abort(reason);
    this.#reply.abort(reason);
    return 'ok';
  }

  /** Requests of gRPC have no trailers. */
  end(): void {
    this.#request.end([]);
  }

  abort(failure: WireFailure): void {
    this.#request.abort(callerLeft(failure));
  }

  resume(): void {
    this.#request.resume();
  }

  cancel(failure: WireFailure): void {
    this.#request.cancel(callerLeft(failure));
  }
}

class GrpcReply implements ReplyEnd {
  readonly #responder: Responder;
  #isHeaded = false;

  constructor(responder: Responder) {
    this.#responder = responder;
  }

  /** With an `end` in the same turn it is Trailers-Only on this wire, too, if it was on the other. */
  head({ headers, neverIndexed }: ReplyHead): void {
    this.#isHeaded = true;
    this.#responder.head({ status: 200, fields: headers, bodyBytes: undefined, ...(neverIndexed && { neverIndexed }) });
  }

  data(chunk: Buffer): Flow {
    return this.#responder.data(chunk);
  }

  end(trailers: Headers): void {
    this.#responder.end(trailers);
  }

  /** A status can be said at any time: trailers come last. */
  abort(reason: Fault): void {
    const trailers = faultTrailers(reason);
    if (this.#isHeaded) {
      this.#responder.end(trailers);
      return;
    }
    this.#responder.head({
      status: 200,
      fields: ['content-type', 'application/grpc', ...trailers],
      bodyBytes: undefined,
    });
    this.#responder.end([]);
  }

  resume(): void {
    this.#responder.resume();
  }

  cancel(reason: Fault): void {
    this.#responder.cancel({ kind: 'reset', reason: reason.code });
  }
}

export function callerLeft({ kind, reason }: WireFailure): Fault {
  const isBroken = kind === 'malformed' || kind === 'limit';
  return isBroken
    ? fault('bad-request', 'the request breaks the rules of HTTP/2.', reason)
    : fault('cancelled', 'the caller went away.', reason);
}

function tooLarge(messageBytesMax: number): Fault {
  return fault(
    'body-too-large',
    `a message is larger than ${messageBytesMax} bytes, which is all that a sidecar on its way takes; raise --max-body-size on both sides if it should pass.`,
  );
}
