// dapr.proto.runtime.v1.Dapr/InvokeService: a call over HTTP that an app makes by gRPC, one message there and one back. It takes
// the same way as any other call.
import type { OutboundCall } from '../../api/call.ts';
import { closedRequest, type Open, type RequestEnd } from '../../api/exchange.ts';
import { daprGrpcStatus, type Fault, fault } from '../../api/fault.ts';
import { headerValue } from '../../api/headers.ts';
import { Hold } from '../../kit/hold.ts';
import { type GrpcMethod, type MethodAnswer, type MethodReceiver, SoleMessage } from './grpc-methods.ts';
import { type InvokeCall, type InvokeCallDeps, readInvokeCall } from './invoke-call.ts';
import { InvokeReply, type InvokeReplyDeps, type RepliedRequest } from './invoke-reply.ts';

export interface InvokeServiceDeps extends InvokeCallDeps, InvokeReplyDeps {
  readonly open: Open<OutboundCall>;
}

/** What is around the body: the method, the query, names and types. */
const ENVELOPE_BYTES_MAX = 256 * 1024;
/** A body goes on its way in pieces, as one that came over HTTP does. */
const PIECE_BYTES = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

const TOO_MUCH_HELD = fault(
  'body-too-large',
  'the calls that are under way on this port hold all the memory that there is for them; call again when some have ended.',
);

export function invokeService(deps: InvokeServiceDeps): GrpcMethod {
  return {
    path: '/dapr.proto.runtime.v1.Dapr/InvokeService',
    messageBytesMax: deps.bodyBytesMax + ENVELOPE_BYTES_MAX,
    open: (metadata, answer) => {
      const receiver = new InvokeReceiver(answer, (message) => {
        const read = readInvokeCall(message, metadata, deps);
        const hold = new Hold(deps.held);
        if (read.ok && hold.take(read.value.body.length)) {
          receiver.begin(new InvokeExchange(read.value, hold, answer, deps));
          return;
        }
        const reason = read.ok ? TOO_MUCH_HELD : read.error;
        answer.fail(reason, deps.statuses === 'dapr' ? daprGrpcStatus(reason.code) : undefined);
      });
      return receiver;
    },
  };
}

/** Before the message is there, there is no call. */
class InvokeReceiver extends SoleMessage implements MethodReceiver {
  #exchange: InvokeExchange | undefined;

  begin(exchange: InvokeExchange): void {
    this.#exchange = exchange;
    exchange.start();
  }

  override gone(reason: Fault): void {
    this.#exchange?.gone(reason);
  }

  resume(): void {
    this.#exchange?.reply.read();
  }
}

/** The call under way: pushes the body, for as long as it is wanted. */
class InvokeExchange implements RepliedRequest {
  readonly reply: InvokeReply;
  readonly #invoked: InvokeCall;
  /** Of the body, until all of it is on its way. */
  readonly #hold: Hold;
  readonly #deps: InvokeServiceDeps;
  #request: RequestEnd = closedRequest;
  #left: Buffer;
  #isEnded = false;
  #isOver = false;

  constructor(invoked: InvokeCall, hold: Hold, answer: MethodAnswer, deps: InvokeServiceDeps) {
    this.#invoked = invoked;
    this.#hold = hold;
    this.#deps = deps;
    this.#left = invoked.body;
    this.reply = new InvokeReply(answer, this, headerValue(invoked.call.headers, 'traceparent'), deps);
  }

  start(): void {
    this.#request = this.#deps.open(this.#invoked.call, this.reply);
    this.resume();
  }

  resume(): void {
    while (this.#left.length > 0) {
      const piece = this.#left.subarray(0, PIECE_BYTES);
      this.#left = this.#left.subarray(piece.length);
      if (this.#request.data(piece) === 'pause' && this.#left.length > 0) return;
    }
    if (this.#isEnded || this.#isOver) return;
    this.#letGo();
    this.#isEnded = true;
    this.#request.end([]);
  }

  stop(): void {
    this.#isEnded = true;
    this.#letGo();
  }

  answered(unwanted?: Fault): void {
    if (unwanted !== undefined) this.#giveUp(unwanted);
    this.#over();
  }

  gone(reason: Fault): void {
    if (this.#isOver) return;
    this.reply.drop();
    this.#giveUp(reason);
    this.#over();
  }

  #giveUp(reason: Fault): void {
    if (this.#isEnded) this.#request.cancel(reason);
    else this.#request.abort(reason);
  }

  #over(): void {
    this.#isOver = true;
    this.#request = closedRequest;
    this.#letGo();
  }

  #letGo(): void {
    this.#left = NO_BYTES;
    this.#hold.release();
  }
}
