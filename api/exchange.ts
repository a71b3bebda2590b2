// The shape in which a call moves through every room of the sidecar: two messages, pushed, each steered from the far side.
//
//   caller's side                                        app's side
//        ── open(call, reply) ─────────────────────────────▶
//        ── request.data(chunk): ok | pause, end, abort ───▶     ◀─ reply.resume, reply.cancel steer the request
//        ◀─ reply.head, data(chunk): ok | pause, end, abort ──   ─▶ request.resume, request.cancel steer the reply
//
//   E1. After `end` or `abort` nothing more is pushed into that message; after `abort` or `cancel` from the caller's
//       side nothing more is pushed into the reply.
//   E2. `pause` is advice about memory: the chunk that met it was taken. The pusher stops until `resume`.
//   E3. The reply may end before the request does; the request's pusher then stops pushing and throws the rest away.
//   E4. `reply.abort` before `reply.head` is how a call is refused; alone of all, it may come before `open` returns.
//   E5. A chunk belongs to the receiver from the moment it is pushed.
//   E6. In a tunnel (a call of that kind, once its reply's head is 101) each message ends by itself: E3 does not hold, and
//       the call is over when both have ended. `abort` and `cancel`, from either side, break off both messages, also
//       where the one that they belong to has ended. Trailers there are none.
import type { Call, OutboundCall } from './call.ts';
import type { Fault } from './fault.ts';
import type { Headers } from './headers.ts';

export type Flow = 'ok' | 'pause';

/** Said with a message, by whoever pushes it. */
interface Pushed {
  data(chunk: Buffer): Flow;
  end(trailers: Headers): void;
  /** The message will not be completed. */
  abort(fault: Fault): void;
}

/** Said against a message, by whoever receives it. */
interface Steering {
  /** Go on after a `pause`. */
  resume(): void;
  /** The rest is not wanted. */
  cancel(fault: Fault): void;
}

/** What the app's side holds out to the caller's side: takes the request, and lets the reply be steered. */
export interface RequestEnd extends Pushed, Steering {}

/** What the caller's side holds out to the app's side: takes the reply, and lets the request be steered. */
export interface ReplyEnd extends Pushed, Steering {
  /** Once, before any data. */
  head(reply: ReplyHead): void;
}

/** How an app that speaks gRPC answered an HTTP call (`AppCallback/OnInvoke`): its status, which HTTP has no words for. */
export interface GrpcOutcome {
  readonly code: number;
  readonly message: string;
  /** Each a google.protobuf.Any, in bytes. */
  readonly details: readonly Buffer[];
}

/**
 * The reply's status line and headers. `bodyBytes` is what the app declared; the pusher keeps to it or aborts. Of a gRPC call
 * the status is 200, and grpc-status comes in the trailers, or in the headers of a reply that is nothing else.
 */
export interface ReplyHead {
  readonly status: number;
  readonly headers: Headers;
  readonly bodyBytes: number | undefined;
  /** As in a call. */
  readonly neverIndexed?: ReadonlySet<string>;
  readonly dataTypeUrl?: string;
  /** Of an HTTP call that an app answered by gRPC; `status` is what HTTP makes of it (`httpStatusOfGrpc`). */
  readonly grpc?: GrpcOutcome;
}

/** The status of a reply that opens a tunnel, and of no other. */
export const SWITCHING = 101;

export type Open<C extends OutboundCall = Call> = (call: C, reply: ReplyEnd) => RequestEnd;

/** The request end of a call that was already refused: takes everything, passes nothing on. */
export const closedRequest: RequestEnd = {
  data: () => 'ok',
  end: () => undefined,
  abort: () => undefined,
  resume: () => undefined,
  cancel: () => undefined,
};

/** Refuses a call as it is opened (E4). */
export function refuse(reply: ReplyEnd, reason: Fault): RequestEnd {
  reply.abort(reason);
  return closedRequest;
}
