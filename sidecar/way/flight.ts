// One call under way: what passes is counted, and what ends it is told once.
import { type Call, isGrpcCall, type OutboundCall } from '../../api/call.ts';
import {
  closedRequest,
  type Flow,
  type ReplyEnd,
  type ReplyHead,
  type RequestEnd,
  SWITCHING,
} from '../../api/exchange.ts';
import { type Callee, calleeLabel, calleeName } from '../../api/external.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { knownGrpcStatus } from '../../api/grpc-status.ts';
import { type Headers, headerValue, NO_HEADERS } from '../../api/headers.ts';
import type { Clock } from '../../kit/clock.ts';
import { type Enrolled, NOT_ENROLLED } from '../../kit/roster.ts';

export type Direction = 'outbound' | 'inbound';

/** What is known of a call once it is over. */
export interface FlightRecord {
  readonly direction: Direction;
  readonly kind: OutboundCall['kind'];
  /** A native gRPC call, in the mesh or out of it. */
  readonly isGrpc: boolean;
  /** The other side: whom it was for, or who made it, as `app.namespace`; outside of the mesh, what the caller wrote. */
  readonly peer: string;
  /** The same for metrics: of what callers write as they like there is one alone. */
  readonly peerLabel: string;
  /** The app's status; undefined if a fault came before it. */
  readonly status: number | undefined;
  /** Of a gRPC call, the app's; undefined where it said none, or none that there is. */
  readonly grpcStatus: number | undefined;
  /** Why it failed, if a fault of ours ended it. */
  readonly fault: Fault | undefined;
  readonly method: string;
  readonly path: string;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly replyBytes: number;
}

/** Whether it was one that the app had agreed to; what it answers otherwise is an answer as any other. */
export function isTunnel({ kind, status }: Pick<FlightRecord, 'kind' | 'status'>): boolean {
  return kind === 'tunnel' && status === SWITCHING;
}

/** What a flight tells of itself. */
export interface FlightHost {
  /** Its answer turns out to be one that nobody waits for the end of. */
  foundEndless(): void;
  /** The app has agreed to speak on in the protocol that it was asked for. */
  tunnelOpened(direction: Direction): void;
  ended(flight: Flight, record: FlightRecord): void;
}

/** One call: the request as it is pushed on. */
export class Flight implements RequestEnd, Enrolled {
  placeInRoster = NOT_ENROLLED;
  readonly direction: Direction;
  readonly reply: FlightReply;
  readonly #call: OutboundCall;
  protected readonly clock: Clock;
  readonly #startedMs: number;
  /** Who begins to count in the middle takes the place of it; see `watchOpen` in flights.ts. */
  host: FlightHost;
  #upstream: RequestEnd = closedRequest;
  protected isOver = false;
  #requestBytes = 0;

  constructor(direction: Direction, call: OutboundCall, caller: ReplyEnd, clock: Clock, host: FlightHost) {
    this.direction = direction;
    this.reply = new FlightReply(this, caller, isGrpcCall(call));
    this.#call = call;
    this.clock = clock;
    this.#startedMs = clock.elapsed();
    this.host = host;
  }

  opened(upstream: RequestEnd): void {
    if (!this.isOver) this.#upstream = upstream;
  }

  get isEndless(): boolean {
    return this.reply.isEndless;
  }

  data(chunk: Buffer): Flow {
    this.#requestBytes += chunk.length;
    return this.#upstream.data(chunk);
  }

  end(trailers: Headers): void {
    this.#upstream.end(trailers);
  }

  abort(reason: Fault): void {
    if (this.isOver) return;
    this.land().abort(reason);
    this.tell(reason);
  }

  resume(): void {
    this.#upstream.resume();
  }

  cancel(reason: Fault): void {
    if (this.isOver) return;
    this.land().cancel(reason);
    this.tell(reason);
  }

  /** The app may have seen the call by now, so this is no 503, which would be tried again elsewhere. */
  cut(): void {
    const code = this.direction === 'outbound' ? 'peer-broke' : 'app-broke';
    this.breakOff(fault(code, 'the sidecar was stopped before the call was done; the app may have seen it.'));
  }

  /** Ends it from here, for both sides, however far it has come. */
  breakOff(reason: Fault): void {
    if (this.isOver) return;
    this.land().cancel(reason);
    this.reply.caller.abort(reason);
    this.tell(reason);
  }

  /** Policies have changed: whether it may go on. */
  rejudge(recall: (call: Call) => Fault | undefined): void {
    if (this.isOver || this.#call.kind === 'external') return;
    const reason = recall(this.#call);
    if (reason !== undefined) this.evict(reason);
  }

  protected evict(reason: Fault): void {
    this.breakOff(reason);
  }

  /** Its reply is over: said to the caller with what ended it. */
  replied(reason: Fault | undefined, trailers: Headers): void {
    if (this.isOver) return;
    this.land();
    if (reason === undefined) this.reply.caller.end(trailers);
    else this.reply.caller.abort(reason);
    this.tell(reason);
  }

  /** The app's side wants no more of the request. */
  unwanted(reason: Fault): void {
    this.reply.caller.cancel(reason);
  }

  foundEndless(): void {
    this.host.foundEndless();
  }

  /** Both messages have ended, and both sides know. */
  protected complete(): void {
    if (this.isOver) return;
    this.land();
    this.tell(undefined);
  }

  /** From here on nothing is passed on. What the request went to is given, to be told. */
  protected land(): RequestEnd {
    const upstream = this.#upstream;
    this.isOver = true;
    this.#upstream = closedRequest;
    return upstream;
  }

  protected tell(reason: Fault | undefined): void {
    const { isGrpc, status, grpcStatus, bytes } = this.reply;
    const peer: Callee = this.direction === 'outbound' ? this.#call.target : this.#call.caller;
    const name = calleeName(peer);
    this.host.ended(this, {
      direction: this.direction,
      kind: this.#call.kind,
      isGrpc,
      peer: name,
      peerLabel: this.#call.kind === 'external' ? calleeLabel(peer) : name,
      status,
      grpcStatus,
      fault: reason,
      method: this.#call.method,
      path: this.#call.path,
      durationMs: this.clock.elapsed() - this.#startedMs,
      requestBytes: this.#requestBytes,
      replyBytes: bytes,
    });
  }
}

/** Its answer, on the way back to the caller. */
class FlightReply implements ReplyEnd {
  /** What the app says goes here. */
  caller: ReplyEnd;
  status: number | undefined;
  grpcStatus: number | undefined;
  bytes = 0;
  isEndless = false;
  readonly #flight: Flight;
  readonly isGrpc: boolean;

  constructor(flight: Flight, caller: ReplyEnd, isGrpc: boolean) {
    this.#flight = flight;
    this.caller = caller;
    this.isGrpc = isGrpc;
  }

  head(head: ReplyHead): void {
    this.status = head.status;
    this.isEndless = head.status === SWITCHING || isEventStream(head.headers);
    if (this.isEndless) this.#flight.foundEndless();
    this.#noteGrpcStatus(head.headers);
    this.caller.head(head);
  }

  data(chunk: Buffer): Flow {
    this.bytes += chunk.length;
    return this.caller.data(chunk);
  }

  end(trailers: Headers): void {
    this.#noteGrpcStatus(trailers);
    this.#flight.replied(undefined, trailers);
  }

  abort(reason: Fault): void {
    this.#flight.replied(reason, NO_HEADERS);
  }

  resume(): void {
    this.caller.resume();
  }

  cancel(reason: Fault): void {
    this.#flight.unwanted(reason);
  }

  /** It is in the trailers, or in the head of an answer that is nothing else. */
  #noteGrpcStatus(headers: Headers): void {
    if (this.isGrpc) this.grpcStatus ??= knownGrpcStatus(headerValue(headers, 'grpc-status'));
  }
}

function isEventStream(headers: Headers): boolean {
  return headerValue(headers, 'content-type')?.startsWith('text/event-stream') ?? false;
}
