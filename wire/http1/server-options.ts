// What a server's connection is told, and what it holds out to its owner.
import type { Refusal, WireFailure } from '../message.ts';
import type { Http1Limits } from './limits.ts';

export interface Http1ServerOptions {
  /** Monotonic milliseconds, such as `Clock.elapsed`. */
  readonly elapsedMs: () => number;
  readonly limits?: Partial<Http1Limits>;
  /** How long a connection may wait for a request, a head may take to arrive, and a client to read its last answer. */
  readonly idleMs?: number;
  readonly headMs?: number;
  readonly lingerMs?: number;
  /** How long a client may leave an answer unread that was written to its end; there is no bound by default. */
  readonly unreadMs?: number;
  /** What is answered to what is no request. */
  readonly refusal?: (failure: WireFailure, status: number) => Refusal;
  /** The far side broke a rule or went past a bound, or an answer could not be written as it was given. */
  readonly offence?: (failure: WireFailure) => void;
  /** Comes last, and once. */
  readonly closed?: () => void;
}

/** What the connection is doing, for sweeps and for counts. */
export type ServerPhase = 'idle' | 'head' | 'exchange' | 'tunnel' | 'lingering' | 'closed';

export interface Http1ServerConnection {
  readonly phase: ServerPhase;
  /** Requests that were handed to `serve`. */
  readonly requests: number;
  /** Closes what has waited for longer than the options allow. */
  sweep(nowMs: number): void;
  /** Finishes what is under way, says `connection: close`, then ends. */
  drain(): void;
  destroy(): void;
}
