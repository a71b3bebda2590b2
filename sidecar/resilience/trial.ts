// One try of a call: its reply end while it is under way, and what it tells of the endpoint that it went to.
//
//   T1. The endpoint is given back once: when the try is over, however it ended.
//   T2. An answer is judged as soon as it says how it went: over HTTP by its head, over gRPC by its first message or its end.
import { type Flow, type ReplyEnd, type ReplyHead, SWITCHING } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { Cancel } from '../../kit/clock.ts';
import type { Breaker, Pass } from '../../policy/resiliency/breaker.ts';
import { healthOf, type Outcome } from '../../policy/resiliency/codes.ts';
import { reportOf } from '../../policy/resiliency/eject.ts';
import type { Member } from '../../policy/resiliency/pick/member.ts';
import type { RoutePlan } from '../../policy/resiliency/plan.ts';
import type { Endpoint, Upstream } from '../resolve/resolver.ts';
import { GRPC_GOES_WELL, GRPC_SAYS_NOTHING, grpcOutcome, httpOutcome } from './outcomes.ts';
import type { TargetState } from './targets.ts';
import type { AttemptEnd, Journey } from './time-spent.ts';

/** What a try says to its run. */
export interface TrialHost {
  readonly route: RoutePlan;
  isCurrent(trial: Trial): boolean;
  nowMs(): number;
  /** Whether a gRPC answer may be looked at before its caller hears of it. */
  mayHoldBack(): boolean;
  /** Whether another try is made in the place of this one; its answer is forgotten then. */
  answered(trial: Trial, outcome: Outcome): boolean;
  /** The caller's end, for the answer of this try. */
  trialReplies(): ReplyEnd;
  tunnelOpened(): void;
  trialEnded(trailers: Headers): void;
  trialFailed(trial: Trial, reason: Fault): void;
  callerMayGoOn(): void;
  callerMayStop(reason: Fault): void;
}

export class Trial implements ReplyEnd {
  kind: 'trying' | 'replying' | 'tunnel' = 'trying';
  readonly upstream: Upstream;
  readonly target: TargetState;
  readonly member: Member<Endpoint>;
  readonly startedMs: number;
  readonly number: number;
  /** Its sending end, once the transport has handed it out. */
  request: AttemptEnd | undefined;
  /** Where a policy bounds each try. */
  cancelTimeout: Cancel | undefined;
  /** When it was known what it came to. */
  judgedMs: number | undefined;
  readonly #run: TrialHost;
  readonly #isGrpc: boolean;
  #breaker: Breaker | undefined;
  #pass: Pass = TOLD;
  #isOver = false;
  #heldBack: ReplyHead | undefined;
  /** The caller's, once this try is the one that answers. */
  #reply: ReplyEnd | undefined;

  constructor(
    run: TrialHost,
    isGrpc: boolean,
    upstream: Upstream,
    target: TargetState,
    member: Member<Endpoint>,
    startedMs: number,
    number: number,
  ) {
    this.#run = run;
    this.#isGrpc = isGrpc;
    this.upstream = upstream;
    this.target = target;
    this.member = member;
    this.startedMs = startedMs;
    this.number = number;
  }

  letThrough(breaker: Breaker, pass: Pass): void {
    this.#breaker = breaker;
    this.#pass = pass;
  }

  /** Until when its breaker lets nobody through, from now. */
  breakerOpenMs(nowMs: number): number {
    return this.#breaker?.retryAfterMs(nowMs) ?? 0;
  }

  times(): Journey['current'] {
    const { startedMs, judgedMs, number } = this;
    return { startedMs, connectedMs: this.request?.connectedMs, answeredMs: judgedMs, number };
  }

  /** What it came to, while it goes on. */
  judge(outcome: Outcome, nowMs: number): void {
    this.judgedMs = nowMs;
    this.target.pool.answered(this.member, reportOf(outcome), nowMs, nowMs - this.startedMs);
    this.#tellBreaker(outcome, nowMs);
  }

  /** T1. `outcome`: undefined where nobody waited for it, or where it was judged by what it came to. */
  over(outcome: Outcome | undefined, nowMs: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.cancelTimeout?.();
    const { pool } = this.target;
    if (outcome !== undefined) pool.answered(this.member, reportOf(outcome), nowMs, nowMs - this.startedMs);
    else if (this.judgedMs === undefined) pool.answered(this.member, 'unknown', nowMs, 0);
    pool.left(this.member);
    this.#tellBreaker(outcome, nowMs);
  }

  /** Another try has answered sooner. */
  outrun(nowMs: number): void {
    this.target.pool.outrun(this.member, nowMs - this.startedMs, nowMs);
    this.over(undefined, nowMs);
  }

  #tellBreaker(outcome: Outcome | undefined, nowMs: number): void {
    const breaker = this.#breaker;
    const pass = this.#pass;
    if (breaker === undefined || pass === TOLD) return;
    this.#pass = TOLD;
    const { breaker: plan } = this.#run.route;
    const health = outcome && plan ? healthOf(outcome, plan.counting) : 'unknown';
    breaker.done(pass, health, nowMs);
  }

  // What the transport pushes.

  head(head: ReplyHead): void {
    if (!this.#run.isCurrent(this)) return;
    const outcome = this.#isGrpc ? grpcOutcome(head.headers) : httpOutcome(head, this.#run.route);
    if (outcome === undefined && this.#run.mayHoldBack()) this.#heldBack = head;
    else if (outcome === undefined || !this.#run.answered(this, outcome)) this.#begin(head);
  }

  data(chunk: Buffer): Flow {
    if (!this.#run.isCurrent(this)) return 'ok';
    if (this.judgedMs === undefined && this.#isForgotten(GRPC_GOES_WELL)) return 'ok';
    return this.#reply?.data(chunk) ?? 'ok';
  }

  end(trailers: Headers): void {
    if (!this.#run.isCurrent(this)) return;
    if (this.judgedMs === undefined && this.#isForgotten(grpcOutcome(trailers) ?? GRPC_SAYS_NOTHING)) return;
    if (this.kind === 'tunnel') this.#reply?.end(trailers);
    else this.#run.trialEnded(trailers);
  }

  abort(reason: Fault): void {
    if (this.#run.isCurrent(this)) this.#run.trialFailed(this, reason);
  }

  resume(): void {
    if (this.#run.isCurrent(this)) this.#run.callerMayGoOn();
  }

  cancel(reason: Fault): void {
    if (this.#run.isCurrent(this)) this.#run.callerMayStop(reason);
  }

  /** T2, of gRPC. Where no other try is made, the caller gets what was held back of this one. */
  #isForgotten(outcome: Outcome): boolean {
    if (this.#run.answered(this, outcome)) return true;
    if (this.#heldBack !== undefined) this.#begin(this.#heldBack);
    return false;
  }

  #begin(head: ReplyHead): void {
    this.kind = head.status === SWITCHING ? 'tunnel' : 'replying';
    this.cancelTimeout?.();
    this.#heldBack = undefined;
    this.#reply = this.#run.trialReplies();
    if (this.kind === 'tunnel') this.#run.tunnelOpened();
    this.#reply.head(head);
  }
}

/** No breaker gives such a pass. */
const TOLD: Pass = 0;
