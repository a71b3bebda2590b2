// The calls under way: counted, measured, and what a stop waits for.
//
// Every call of either direction passes here first. A closed direction refuses, so that draining is one switch; what is
// in flight is let finish, and at the end of the grace cut. A stream without an end (server-sent events) is not work whose
// end could be awaited: it is cut then and forgiven.
import type { Call } from '../../api/call.ts';
import { closedRequest, type ReplyEnd, type RequestEnd } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { knownGrpcStatus } from '../../api/grpc-status.ts';
import { type Headers, headerValue } from '../../api/headers.ts';
import { targetName } from '../../api/ids.ts';
import type { Clock } from '../../kit/clock.ts';

export type Direction = 'outbound' | 'inbound';

/** What is known of a call once it is over. */
export interface FlightRecord {
  readonly direction: Direction;
  readonly kind: Call['kind'];
  /** The other side: whom it was for, or who made it, as `app.namespace`. */
  readonly peer: string;
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

/** Told of every call; see admin/call-metrics.ts. */
export interface FlightObserver {
  began(direction: Direction): void;
  ended(record: FlightRecord): void;
}

export class Flights {
  readonly #clock: Clock;
  readonly #observer: FlightObserver;
  readonly #inFlight = new Set<Flight>();
  readonly #closed = new Set<Direction>();
  readonly #waiting = new Set<Waiting>();

  constructor(clock: Clock, observer: FlightObserver) {
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Lets a call through as a flight, or refuses it. `open` gets the reply end that the call's stages are to use. */
  track(direction: Direction, call: Call, caller: ReplyEnd, open: (reply: ReplyEnd) => RequestEnd): RequestEnd {
    this.#observer.began(direction);
    const flight = new Flight(direction, call, caller, this.#clock, {
      foundEndless: () => this.#settle(),
      ended: (record) => {
        this.#inFlight.delete(flight);
        this.#observer.ended(record);
        this.#settle();
      },
    });
    this.#inFlight.add(flight);
    if (this.#closed.has(direction))
      flight.reply.abort(fault('draining', 'this sidecar is stopping and takes no new calls; nothing was sent.'));
    else openOrSurvive(flight, open);
    return flight.request;
  }

  /** From now on calls of this direction are refused. */
  close(direction: Direction): void {
    this.#closed.add(direction);
  }

  /** Calls `done` once, when nothing is in flight. */
  whenIdle(done: () => void): void {
    this.#wait({ isMet: () => this.#inFlight.size === 0, done });
  }

  /** Calls `done` once, when no inbound call is in flight that will end by itself. */
  whenServed(done: () => void): void {
    const isWork = (flight: Flight) => flight.direction === 'inbound' && !flight.isEndless;
    this.#wait({ isMet: () => ![...this.#inFlight].some(isWork), done });
  }

  #wait(waiting: Waiting): void {
    this.#waiting.add(waiting);
    this.#settle();
  }

  #settle(): void {
    for (const waiting of this.#waiting) {
      if (!waiting.isMet()) continue;
      this.#waiting.delete(waiting);
      waiting.done();
    }
  }

  /** Ends what is still in flight and says how many of those were work, not endless streams. */
  cut(): number {
    const cutOff = [...this.#inFlight];
    this.#waiting.clear();
    for (const flight of cutOff) flight.cut();
    return cutOff.filter((flight) => !flight.isEndless).length;
  }
}

/** A bug that a call finds as it is opened ends that call, and nothing else. */
function openOrSurvive(flight: Flight, open: (reply: ReplyEnd) => RequestEnd): void {
  try {
    flight.opened(open(flight.reply));
  } catch (error) {
    const cause = error instanceof Error ? error.stack : String(error);
    flight.reply.abort(fault('internal', 'this sidecar has a bug that this call found; its log says more.', cause));
  }
}

interface Waiting {
  isMet(): boolean;
  done(): void;
}

/** Refuses a call from inside a way. */
export function refuse(reply: ReplyEnd, reason: Fault): RequestEnd {
  reply.abort(reason);
  return closedRequest;
}

interface FlightHooks {
  /** Its answer turns out to be one that nobody waits for the end of. */
  foundEndless(): void;
  ended(record: FlightRecord): void;
}

class Flight {
  readonly direction: Direction;
  readonly #call: Call;
  readonly #caller: ReplyEnd;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #hooks: FlightHooks;
  #upstream: RequestEnd = closedRequest;
  #isOver = false;
  #status: number | undefined;
  #grpcStatus: number | undefined;
  #requestBytes = 0;
  #replyBytes = 0;
  isEndless = false;

  constructor(direction: Direction, call: Call, caller: ReplyEnd, clock: Clock, hooks: FlightHooks) {
    this.direction = direction;
    this.#call = call;
    this.#caller = caller;
    this.#clock = clock;
    this.#startedMs = clock.elapsed();
    this.#hooks = hooks;
  }

  opened(upstream: RequestEnd): void {
    if (!this.#isOver) this.#upstream = upstream;
  }

  readonly request: RequestEnd = {
    data: (chunk) => {
      this.#requestBytes += chunk.length;
      return this.#upstream.data(chunk);
    },
    end: (trailers) => this.#upstream.end(trailers),
    abort: (reason) => this.#end(reason, (upstream) => upstream.abort(reason)),
    resume: () => this.#upstream.resume(),
    cancel: (reason) => this.#end(reason, (upstream) => upstream.cancel(reason)),
  };

  readonly reply: ReplyEnd = {
    head: (head) => {
      this.#status = head.status;
      this.isEndless = headerValue(head.headers, 'content-type')?.startsWith('text/event-stream') ?? false;
      if (this.isEndless) this.#hooks.foundEndless();
      this.#noteGrpcStatus(head.headers);
      this.#caller.head(head);
    },
    data: (chunk) => {
      this.#replyBytes += chunk.length;
      return this.#caller.data(chunk);
    },
    end: (trailers) => {
      this.#noteGrpcStatus(trailers);
      this.#end(undefined, () => this.#caller.end(trailers));
    },
    abort: (reason) => this.#end(reason, () => this.#caller.abort(reason)),
    resume: () => this.#caller.resume(),
    cancel: (reason) => this.#caller.cancel(reason),
  };

  /** The app may have seen the call by now, so this is no 503, which would be tried again elsewhere. */
  cut(): void {
    const code = this.direction === 'outbound' ? 'peer-broke' : 'app-broke';
    const reason = fault(code, 'the sidecar was stopped before the call was done; the app may have seen it.');
    this.#end(reason, (upstream) => {
      upstream.cancel(reason);
      this.#caller.abort(reason);
    });
  }

  /** It is in the trailers, or in the head of an answer that is nothing else. */
  #noteGrpcStatus(headers: Headers): void {
    if (this.#call.kind === 'grpc') this.#grpcStatus ??= knownGrpcStatus(headerValue(headers, 'grpc-status'));
  }

  #end(reason: Fault | undefined, tell: (upstream: RequestEnd) => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const upstream = this.#upstream;
    this.#upstream = closedRequest;
    tell(upstream);
    this.#hooks.ended({
      direction: this.direction,
      kind: this.#call.kind,
      peer: targetName(this.direction === 'outbound' ? this.#call.target : this.#call.caller),
      status: this.#status,
      grpcStatus: this.#grpcStatus,
      fault: reason,
      method: this.#call.method,
      path: this.#call.path,
      durationMs: this.#clock.elapsed() - this.#startedMs,
      requestBytes: this.#requestBytes,
      replyBytes: this.#replyBytes,
    });
  }
}
