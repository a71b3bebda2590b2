// One call from its first try to its answer.
//
//   identify > authorize > resolve > [resilience] > transport
//
//   resolving ──▶ queueing ──▶ trying ──▶ replying ──▶ done
//                              │    ▲
//                              ▼    │ of what may be tried again (policy/resiliency/retry.ts)
//                              pausing
//
// The request is pushed on as it arrives, and a copy of its beginning is kept while that is cheap, so that it can be sent again.
//
//   A1. Once anything of an answer has reached the caller, nothing is tried again: the try and the caller are joined.
//   A2. A retry goes to an endpoint that this call has not tried, unless it was not the endpoint that refused, or a policy
//       asks for more tries than there are endpoints.
//   A3. The deadline covers everything: resolving, queueing, connecting, pauses, the answer's last byte. Of a tunnel, all up to its
//       opening.
//   A4. A call whose target has a limit holds its place from its first try to its end, and each try beside the first one of its own.
//   A5. Of several tries that are under way the first that answers is the answer, unless it is one that the policy would try again;
//       the others are given up. One that fails leaves it to them.
import { isGrpcCall, type OutboundCall } from '../../api/call.ts';
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Outcome } from '../../policy/resiliency/codes.ts';
import type { InFlight } from '../../policy/resiliency/limits/in-flight.ts';
import { BUILT_IN_ROUTE, type RoutePlan } from '../../policy/resiliency/plan.ts';
import { deadlineOf } from '../../policy/resiliency/retry.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import type { Endpoint, Resolution, Resolved, Upstream } from '../resolve/resolver.ts';
import { ANOTHER_TRY, late, lateTry, limitReached } from './call-faults.ts';
import { type HedgedRun, Hedges } from './hedges.ts';
import { openTrial, type TriedCall } from './open-trial.ts';
import { faultOutcome } from './outcomes.ts';
import { DONE, isTrial, NOTHING, type Phase, UNRESOLVED } from './phase.ts';
import { Place, type PlaceHost } from './place.ts';
import { Replay } from './replay.ts';
import { Retries } from './retries.ts';
import type { TargetState, Targets } from './targets.ts';
import type { AttemptEnd, Journey } from './time-spent.ts';
import { Trial } from './trial.ts';

/** Sends a call to one endpoint, once. */
export type Attempt<C = PermittedCall> = (call: C, endpoint: Endpoint, reply: ReplyEnd) => AttemptEnd;

export interface ResilienceDeps<C = PermittedCall> {
  readonly clock: Clock;
  readonly random: Random;
  readonly targets: Targets;
  readonly attempt: Attempt<C>;
}

export function runCall<C extends OutboundCall>(
  call: C,
  resolution: Resolution,
  reply: ReplyEnd,
  deps: ResilienceDeps<C>,
): RequestEnd {
  const run = new CallRun(call, reply, deps);
  run.start(resolution);
  return run;
}

class CallRun<C extends OutboundCall> implements RequestEnd, TriedCall, PlaceHost, HedgedRun {
  call: C;
  route: RoutePlan = BUILT_IN_ROUTE;
  /** Most calls need none. */
  failed: Retries | undefined;
  readonly #reply: ReplyEnd;
  readonly #deps: ResilienceDeps<C>;
  readonly #replay: Replay;
  readonly #startedMs: number;
  #place: Place | undefined;
  #hedges: Hedges | undefined;
  #phase: Phase = UNRESOLVED;
  #cancelDeadline: Cancel | undefined;

  constructor(call: C, reply: ReplyEnd, deps: ResilienceDeps<C>) {
    this.call = call;
    this.#reply = reply;
    this.#deps = deps;
    this.#replay = new Replay(deps.targets.kept);
    this.#startedMs = deps.clock.elapsed();
  }

  start(resolution: Resolution): void {
    if (this.call.deadlineMs !== undefined) this.#expireAt(this.call.deadlineMs);
    if (resolution.kind !== 'miss') this.#resolved(resolution);
    else this.#phase = { kind: 'resolving', cancel: resolution.wait((resolved) => this.#resolved(resolved)) };
  }

  #resolved(resolved: Resolved): void {
    if (this.#phase.kind !== 'resolving') return;
    if (resolved.kind === 'absent') {
      this.#fail(resolved.fault);
      return;
    }
    const { upstream } = resolved;
    const nowMs = this.nowMs();
    const target = this.#deps.targets.of(upstream, nowMs);
    this.route = target.plan.routes.of(this.call);
    if (this.route.totalTimeoutMs !== undefined) this.#bound(this.route);
    if (target.limit === undefined) this.#begin(upstream, target, nowMs);
    else this.#queue(upstream, target, target.limit, nowMs);
  }

  #begin(upstream: Upstream, target: TargetState, nowMs: number): void {
    target.budget.call(nowMs);
    this.#tryNext(upstream, target, nowMs, 1);
  }

  // Its turn, where the target has a limit.

  #queue(upstream: Upstream, target: TargetState, limit: InFlight, nowMs: number): void {
    this.#place = new Place(limit, this, nowMs);
    const entered = this.#place.enter();
    if (entered === 'inside') this.#begin(upstream, target, nowMs);
    else if (entered === 'waiting') this.#phase = { kind: 'queueing', upstream, target };
    else this.#fail(limitReached(this.call, limit.bounds, undefined, this.random));
  }

  admitted(): void {
    const phase = this.#phase;
    if (phase.kind === 'queueing') this.#begin(phase.upstream, phase.target, this.nowMs());
  }

  waitedInVain({ limit, sinceMs }: Place): void {
    this.#fail(limitReached(this.call, limit.bounds, this.nowMs() - sinceMs, this.random));
  }

  /** The plan gives the whole call less time than its caller does. */
  #bound(route: RoutePlan): void {
    const deadlineMs = deadlineOf(route, this.#startedMs, this.call.deadlineMs);
    if (deadlineMs === undefined || deadlineMs === this.call.deadlineMs) return;
    this.call = { ...this.call, deadlineMs };
    this.#cancelDeadline?.();
    this.#expireAt(deadlineMs);
  }

  #expireAt(deadlineMs: number): void {
    this.#cancelDeadline = this.#deps.clock.after(deadlineMs - this.nowMs(), () => this.#expire());
  }

  get random(): Random {
    return this.#deps.random;
  }

  nowMs(): number {
    return this.#deps.clock.elapsed();
  }

  // The request, pushed by the caller's side.

  data(chunk: Buffer): Flow {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'resolving':
      case 'queueing':
      case 'pausing':
        this.#replay.add(chunk);
        return 'pause';
      case 'trying':
        this.#replay.addIfCheap(chunk);
        return phase.request?.data(chunk) ?? 'pause';
      case 'replying':
      case 'tunnel':
        return phase.request?.data(chunk) ?? 'pause';
      case 'done':
        return 'ok';
    }
  }

  end(trailers: Headers): void {
    const phase = this.#phase;
    if (phase.kind !== 'replying' && phase.kind !== 'tunnel' && phase.kind !== 'done') this.#replay.finish(trailers);
    if (isTrial(phase)) phase.request?.end(trailers);
  }

  abort(reason: Fault): void {
    this.#leave((request) => request.abort(reason));
  }

  resume(): void {
    const phase = this.#phase;
    if (phase.kind === 'replying' || phase.kind === 'tunnel') phase.request?.resume();
  }

  cancel(reason: Fault): void {
    this.#leave((request) => request.cancel(reason));
  }

  // Tries.

  #tryNext(upstream: Upstream, target: TargetState, nowMs: number, number: number): void {
    const trial = openTrial(this, upstream, target, nowMs, number);
    if (!(trial instanceof Trial)) {
      this.#fail(trial);
      return;
    }
    this.#phase = trial;
    this.launch(trial);
    if (this.route.hedging === undefined || !this.isCurrent(trial)) return;
    this.#hedges ??= new Hedges(this, this.call, target, this.#deps.clock);
    this.#hedges.later();
  }

  launch(trial: Trial): void {
    if (this.route.tryTimeoutMs !== undefined) this.#boundTry(trial, this.route.tryTimeoutMs);
    this.#send(trial, trial.member.instance);
  }

  #send(trial: Trial, endpoint: Endpoint): void {
    const request = this.#deps.attempt(this.call, endpoint, trial);
    // It may have failed before it returned, and the next trial may be under way from inside that very call (E4).
    if (!this.isCurrent(trial)) return;
    trial.request = request;
    // A pause answers a chunk: where none has come, nobody waits.
    if (this.#replay.isEmpty) return;
    // An attempt that pauses resumes by itself once it takes more; until then what the caller has left stays with the
    // caller, so that a large body whose attempt fails to connect can still be sent elsewhere.
    if (this.#replay.into(request) === 'ok') this.#reply.resume();
  }

  #boundTry(trial: Trial, timeoutMs: number): void {
    trial.cancelTimeout = this.#deps.clock.after(timeoutMs, () => {
      if (!this.isCurrent(trial) || trial.kind !== 'trying' || this.#isLeftToOthers(trial, TRY_TIMEOUT)) return;
      if (this.#isTriedAgain(trial, TRY_TIMEOUT, undefined, trial.request)) return;
      const reason = lateTry(this.call, timeoutMs, this.#journey());
      this.#leave((request) => request.cancel(reason));
      this.#reply.abort(reason);
    });
  }

  /** Whether there is a next try: then it is under way, or its pause is. */
  #isTriedAgain(trial: Trial, outcome: Outcome, reason: Fault | undefined, sent: AttemptEnd | undefined): boolean {
    const nowMs = this.nowMs();
    if (outcome.kind === 'answer') trial.judge(outcome, nowMs);
    else trial.over(outcome, nowMs);
    // Nearly every call ends here: with an answer, and nobody has asked for others.
    if (outcome.kind === 'answer' && this.route.retry === undefined) return false;
    if (trial.kind !== 'trying' || !this.#replay.isWhole) return false;
    const isStreamed = this.call.bodyBytes === undefined && (!isGrpcCall(this.call) || !this.#replay.hasEnded);
    const failure = { outcome, reason, connectedMs: sent?.connectedMs, isStreamed, nowMs };
    const pauseMs = this.retries().next(this.call, this.route, trial, failure);
    if (pauseMs === undefined) return false;
    this.#pause(trial, pauseMs, nowMs);
    return true;
  }

  #pause(trial: Trial, pauseMs: number, nowMs: number): void {
    const { upstream, target, request } = trial;
    const number = Math.max(trial.number, this.#hedges?.lastNumber ?? 0);
    trial.over(undefined, nowMs);
    const go = () => this.#tryNext(upstream, target, this.nowMs(), number + 1);
    const isAtOnce = pauseMs === 0 && number < AT_ONCE_MAX;
    this.#phase = { kind: 'pausing', cancel: isAtOnce ? NOTHING : this.#deps.clock.after(pauseMs, go) };
    // One that has failed wants to hear nothing.
    request?.cancel(ANOTHER_TRY);
    if (isAtOnce) go();
  }

  // What one try says. Once the run has moved on, its words count for nothing.

  isCurrent(trial: Trial): boolean {
    return this.#phase === trial || this.#hedges?.has(trial) === true;
  }

  /** Of a stream nobody knows what its caller waits for before it goes on. */
  mayHoldBack(): boolean {
    const { retry, hedging } = this.route;
    return (retry !== undefined || hedging !== undefined) && this.#replay.hasEnded && this.#replay.isWhole;
  }

  answered(trial: Trial, outcome: Outcome): boolean {
    const first = this.#phase;
    if (this.#hedges !== undefined && isTrial(first)) this.#phase = this.#hedges.answeredBy(trial, first, outcome);
    if (this.#phase !== trial) return true;
    return this.#isTriedAgain(trial, outcome, undefined, trial.request);
  }

  trialReplies(): ReplyEnd {
    this.#replay.drop();
    return this.#reply;
  }

  /** From here on it only passes on, and either message may end before the other (E6). */
  tunnelOpened(): void {
    this.#cancelDeadline?.();
  }

  trialEnded(trailers: Headers): void {
    this.#finish();
    this.#reply.end(trailers);
  }

  callerMayGoOn(): void {
    this.#reply.resume();
  }

  callerMayStop(reason: Fault): void {
    this.#reply.cancel(reason);
  }

  trialFailed(trial: Trial, reason: Fault): void {
    const sent = trial.request;
    trial.request = undefined;
    const outcome = faultOutcome(reason);
    if (this.#isLeftToOthers(trial, outcome)) return;
    if (!this.#isTriedAgain(trial, outcome, reason, sent)) this.#fail(reason);
  }

  // Tries beside the first.

  waitingFor(): Trial | undefined {
    const phase = this.#phase;
    return phase.kind === 'trying' && this.#replay.hasEnded && this.#replay.isWhole ? phase : undefined;
  }

  retries(): Retries {
    this.failed ??= new Retries(this.random);
    return this.failed;
  }

  open({ upstream, target }: Trial, number: number, nowMs: number): Trial | undefined {
    const trial = openTrial(this, upstream, target, nowMs, number);
    return trial instanceof Trial ? trial : undefined;
  }

  /** A5. Whether others are under way, and it is left to them. */
  #isLeftToOthers(trial: Trial, outcome: Outcome): boolean {
    const phase = this.#phase;
    const next = isTrial(phase) ? this.#hedges?.leftBy(trial, phase, outcome) : undefined;
    if (next === undefined) return false;
    this.#phase = next;
    return true;
  }

  #expire(): void {
    const reason = late(this.call, this.#phase.kind, this.#journey());
    this.#leave((request) => request.cancel(reason));
    this.#reply.abort(reason);
  }

  /** Put together when time is up, and never before. */
  #journey(): Journey {
    const phase = this.#phase;
    const current = isTrial(phase) ? phase.times() : undefined;
    const queuedMs = this.#place?.sinceMs;
    return { startedMs: this.#startedMs, nowMs: this.nowMs(), queuedMs, failed: this.failed?.history ?? [], current };
  }

  #fail(reason: Fault): void {
    this.#finish();
    this.#reply.abort(reason);
  }

  /** Ends the run and tells whoever is at work on it. */
  #leave(tell: (request: RequestEnd) => void): void {
    const phase = this.#phase;
    this.#finish();
    if (phase.kind === 'resolving' || phase.kind === 'pausing') phase.cancel();
    if (isTrial(phase) && phase.request) tell(phase.request);
    for (let other = this.#hedges?.take(); other; other = this.#hedges?.take()) {
      other.over(undefined, this.nowMs());
      if (other.request) tell(other.request);
    }
  }

  #finish(): void {
    const phase = this.#phase;
    this.#phase = DONE;
    if (isTrial(phase)) phase.over(undefined, this.nowMs());
    this.#cancelDeadline?.();
    this.#hedges?.stop();
    this.#replay.drop();
    this.#place?.leave();
  }
}

const TRY_TIMEOUT: Outcome = { kind: 'try-timeout' };
/** Beyond so many, the next try is made by the clock: a try may fail before it returns, and no stack is endless. */
const AT_ONCE_MAX = 5;
