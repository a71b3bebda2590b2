// Leader election on a Lease: of several replicas at most one leads. A leader counts from before it asked for a renewal,
// by its own monotonic clock, and stops before others may begin.
import type { Random } from '../kit/backoff.ts';
import { type Cancel, type Clock, within } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import type { Log } from '../kit/log.ts';
import { err } from '../kit/result.ts';
import type { Answered, Kube } from './kube.ts';
import { type LeaseOptions, LeaseRecord } from './lease-record.ts';

export interface ElectionOptions extends Omit<LeaseOptions, 'leaseDurationSec'> {
  /** As of a lease; 15 by default. */
  readonly leaseDurationSec?: number;
  /** How long a leader leads on without a renewal; less than the duration. 10 by default. */
  readonly renewDeadlineSec?: number;
  /** 2 by default. */
  readonly retryPeriodSec?: number;
}

export interface LeaderHandlers {
  /**
   * Called each time this replica becomes the leader. The signal is aborted when it no longer is. Settles when all work
   * has ended: only then it is a candidate again, or gives the lease back.
   */
  readonly elected: (signal: AbortSignal) => Promise<void>;
  /** Who leads as far as we know, each time that changes; empty: nobody. */
  readonly leaderChanged?: (identity: string) => void;
}

export interface ElectionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Candidacy {
  /** By the clock of this moment, even where a timer is late: ask before a write that only a leader may do. */
  isLeader(): boolean;
  /** Steps down, waits for the work to end, and gives the lease back, so that the next one leads at once. */
  stop(): Promise<void>;
}

interface Term {
  readonly abort: AbortController;
  /** Until when it leads unless it renews. */
  untilMs: number;
  cancelDeadline: Cancel;
  /** When its work has ended. Never rejects. */
  readonly ended: Promise<void>;
}

type State =
  | { readonly phase: 'candidate' }
  | { readonly phase: 'leading'; readonly term: Term }
  | { readonly phase: 'stepping-down'; readonly term: Term }
  | { readonly phase: 'stopped' };

export function runForLeader(
  kube: Pick<Kube, 'get' | 'create' | 'replace'>,
  options: ElectionOptions,
  handlers: LeaderHandlers,
  deps: ElectionDeps,
): Candidacy {
  const record = new LeaseRecord(kube, { leaseDurationSec: 15, ...options }, deps.clock);
  const log = deps.log.with({ lease: `${options.namespace}/${options.name}`, identity: options.identity });
  const candidate = new Candidate(record, options, handlers, { ...deps, log });
  candidate.start();
  return candidate;
}

class Candidate implements Candidacy {
  readonly #record: LeaseRecord;
  readonly #handlers: LeaderHandlers;
  readonly #deps: ElectionDeps;
  readonly #deadlineMs: number;
  readonly #periodMs: number;
  #state: State = { phase: 'candidate' };
  #cancelRound: Cancel = () => undefined;
  #round: Promise<void> = Promise.resolve();
  #rounds = 0;
  #leader = '';

  constructor(record: LeaseRecord, options: ElectionOptions, handlers: LeaderHandlers, deps: ElectionDeps) {
    this.#record = record;
    this.#handlers = handlers;
    this.#deps = deps;
    this.#deadlineMs = (options.renewDeadlineSec ?? 10) * 1000;
    this.#periodMs = (options.retryPeriodSec ?? 2) * 1000;
  }

  start(): void {
    this.#round = this.#runRound();
  }

  isLeader(): boolean {
    return this.#state.phase === 'leading' && this.#deps.clock.elapsed() < this.#state.term.untilMs;
  }

  async stop(): Promise<void> {
    const before = this.#state;
    this.#cancelRound();
    if (before.phase === 'leading') this.#abort(before.term);
    this.#state = { phase: 'stopped' };
    await this.#round;
    if (before.phase === 'leading' || before.phase === 'stepping-down') await before.term.ended;
    const released = await answeredWithin(this.#deps.clock, this.#deadlineMs / 2, this.#record.release());
    if (released.ok) return;
    const reason = released.error.message;
    this.#deps.log.warn('the lease is not given back; others wait until it runs out', { reason });
  }

  /** One try to get or to keep the lease. */
  async #runRound(): Promise<void> {
    const { clock, log } = this.#deps;
    this.#rounds += 1;
    const round = this.#rounds;
    const isCurrent = () => round === this.#rounds && this.#canClaim();
    // Counted from before the request: others count from when they see what it wrote, which is later.
    const askedMs = clock.elapsed();
    // Half of the deadline leaves time for another try.
    const isOurs = await answeredWithin(clock, this.#deadlineMs / 2, this.#claim(isCurrent));
    if (!isCurrent()) return;
    if (!isOurs.ok) log.warn('the lease cannot be read or written', { reason: isOurs.error.message });
    else if (isOurs.value) this.#lead(askedMs);
    else if (this.#state.phase === 'leading') this.#stepDown(this.#state.term, 'another replica has the lease');
    this.#tellLeader();
    this.#schedule();
  }

  #canClaim(): boolean {
    return this.#state.phase === 'candidate' || this.#state.phase === 'leading';
  }

  async #claim(isCurrent: () => boolean): Answered<boolean> {
    if (this.#state.phase === 'leading') {
      const renewed = await this.#record.renew();
      // Else somebody edited or deleted it, or a write of ours got through whose answer never came.
      if (renewed.ok || !['conflict', 'not-found'].includes(renewed.error.kind)) return renewed;
    }
    return this.#record.claim(isCurrent);
  }

  #schedule(): void {
    if (!this.#canClaim()) return;
    const waitMs = this.#periodMs * (1 + 0.2 * this.#deps.random());
    this.#cancelRound = this.#deps.clock.after(waitMs, () => {
      this.#round = this.#runRound();
    });
  }

  #lead(askedMs: number): void {
    const untilMs = askedMs + this.#deadlineMs;
    if (this.#state.phase === 'leading') this.#extend(this.#state.term, untilMs);
    else if (this.#deps.clock.elapsed() < untilMs) this.#begin(untilMs);
  }

  #begin(untilMs: number): void {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const term: Term = { abort: new AbortController(), untilMs, cancelDeadline: () => undefined, ended };
    this.#state = { phase: 'leading', term };
    this.#deps.log.info('this replica leads now');
    this.#extend(term, untilMs);
    void this.#work(term).then(resolve);
  }

  #extend(term: Term, untilMs: number): void {
    const { clock } = this.#deps;
    const lapse = () => this.#stepDown(term, `the lease was not renewed within ${this.#deadlineMs / 1000} s`);
    term.cancelDeadline();
    // This process may have stood still while another led.
    if (clock.elapsed() >= term.untilMs) {
      lapse();
      return;
    }
    term.untilMs = untilMs;
    term.cancelDeadline = clock.after(untilMs - clock.elapsed(), lapse);
  }

  async #work(term: Term): Promise<void> {
    try {
      await this.#handlers.elected(term.abort.signal);
    } catch (error) {
      this.#deps.log.error('the work of the leader failed', { error: messageOf(error) });
      this.#stepDown(term, 'its work failed');
    }
  }

  /** Others may lead as soon as the lease has run out; this replica is a candidate again once its work has ended. */
  #stepDown(term: Term, reason: string): void {
    if (this.#state.phase !== 'leading' || this.#state.term !== term) return;
    this.#deps.log.warn('this replica leads no more', { reason });
    const steppingDown = { phase: 'stepping-down', term } as const;
    this.#state = steppingDown;
    this.#cancelRound();
    // What the round under way learns is of no interest any more.
    this.#rounds += 1;
    this.#abort(term);
    void term.ended.then(() => {
      if (this.#state !== steppingDown) return;
      this.#state = { phase: 'candidate' };
      this.#schedule();
    });
  }

  #abort(term: Term): void {
    term.cancelDeadline();
    term.abort.abort();
  }

  #tellLeader(): void {
    const holder = this.#record.holder();
    if (holder === this.#leader) return;
    this.#leader = holder;
    this.#handlers.leaderChanged?.(holder);
  }
}

function answeredWithin<T>(clock: Clock, timeoutMs: number, work: Answered<T>): Answered<T> {
  const message = `no answer within ${timeoutMs / 1000} s`;
  return within(clock, timeoutMs, work, err({ kind: 'unavailable', message }));
}
