// The calls under way: counted, measured, and what a stop waits for.
//
// Every call of either direction passes here first. A closed direction refuses, so that draining is one switch; what is
// in flight is let finish, and at the end of the grace cut. A stream without an end (server-sent events, a tunnel) is not work
// whose end could be awaited: it is cut then and forgiven.
import type { OutboundCall } from '../../api/call.ts';
import type { ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { fault } from '../../api/fault.ts';
import type { Clock } from '../../kit/clock.ts';
import { Roster } from '../../kit/roster.ts';
import { type Direction, Flight, type FlightHost, type FlightRecord } from './flight.ts';
import { TunnelFlight } from './tunnel-flight.ts';

export { type Direction, type FlightRecord, isTunnel } from './flight.ts';

/** Told of every call; see admin/call-metrics.ts. */
export interface FlightObserver {
  began(direction: Direction): void;
  /** One that was begun is a tunnel now, until it has ended. */
  tunnelOpened(direction: Direction): void;
  ended(record: FlightRecord): void;
}

export class Flights implements FlightHost {
  readonly #clock: Clock;
  readonly #observer: FlightObserver;
  readonly #inFlight = new Roster<Flight>();
  readonly #closed = new Set<Direction>();
  readonly #waiting = new Set<Waiting>();

  constructor(clock: Clock, observer: FlightObserver) {
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Lets a call through as a flight, or refuses it. `open` gets the reply end that the call's stages are to use. */
  track(direction: Direction, call: OutboundCall, caller: ReplyEnd, open: (reply: ReplyEnd) => RequestEnd): RequestEnd {
    this.#observer.began(direction);
    const Kind = call.kind === 'tunnel' ? TunnelFlight : Flight;
    const flight = new Kind(direction, call, caller, this.#clock, this);
    this.#inFlight.add(flight);
    if (this.#closed.has(direction))
      flight.reply.abort(fault('draining', 'this sidecar is stopping and takes no new calls; nothing was sent.'));
    else openOrSurvive(flight, open);
    return flight;
  }

  // What a flight tells.

  foundEndless(): void {
    this.#settle();
  }

  tunnelOpened(direction: Direction): void {
    this.#observer.tunnelOpened(direction);
  }

  ended(flight: Flight, record: FlightRecord): void {
    this.#inFlight.delete(flight);
    this.#observer.ended(record);
    this.#settle();
  }

  /** Those that are under way. */
  open(direction: Direction): readonly Flight[] {
    return this.#inFlight.list().filter((flight) => flight.direction === direction);
  }

  /** How many of a direction are under way; `ended` is called as each of these has ended. Of those, one at a time can be told. */
  watchOpen(direction: Direction, ended: () => void): number {
    const open = this.open(direction);
    const host: FlightHost = {
      foundEndless: () => this.foundEndless(),
      tunnelOpened: (way) => this.tunnelOpened(way),
      ended: (flight, record) => {
        this.ended(flight, record);
        ended();
      },
    };
    for (const flight of open) flight.host = host;
    return open.length;
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
    this.#wait({ isMet: () => !this.#inFlight.list().some(isWork), done });
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
    const cutOff = this.#inFlight.list();
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
