// One call from its first attempt to its answer.
//
//   identify > authorize > resolve > [resilience] > transport
//
// The request is pushed on as it arrives, and a copy of its beginning is kept while that is cheap. When an attempt fails
// in a way that proves the app has not seen the call, the copy goes to another endpoint; otherwise the fault goes to
// the caller. Nothing that an app may have seen is ever sent twice.
//
//   A1. A reply head ends all retrying: from there the attempt and the caller are joined.
//   A2. An endpoint is tried once per call, unless it was not the endpoint that refused (again: 'anywhere').
//   A3. The deadline covers everything: resolving, connecting, the answer's last byte. Of a tunnel, all up to its opening.
import type { Flow, ReplyEnd, ReplyHead, RequestEnd } from '../../api/exchange.ts';
import { type Callee, calleeName } from '../../api/external.ts';
import { type Fault, fault, mayBeSentAgain } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import type { Endpoint, Resolution, Resolved, Upstream } from '../resolve/resolver.ts';
import { endpointKey, type Picker } from './pick.ts';
import { Replay } from './replay.ts';

/** Sends a call to one endpoint, once. */
export type Attempt<C = PermittedCall> = (call: C, endpoint: Endpoint, reply: ReplyEnd) => RequestEnd;

/** What is looked at of a call here. */
interface Run {
  readonly target: Callee;
  readonly deadlineMs: number | undefined;
}

export interface ResilienceDeps<C = PermittedCall> {
  readonly clock: Clock;
  readonly picker: Picker;
  readonly attempt: Attempt<C>;
}

/** However many endpoints there are, a call that nobody can take comes back soon. */
const ATTEMPTS_MAX = 5;

/** An attempt under way is the phase itself, `trying` or `replying`: a call has one object for both. */
type Phase = { readonly kind: 'resolving'; readonly cancel: Cancel } | Trial | { readonly kind: 'done' };

export function runCall<C extends Run>(
  call: C,
  resolution: Resolution,
  reply: ReplyEnd,
  deps: ResilienceDeps<C>,
): RequestEnd {
  const run = new CallRun(call, reply, deps);
  run.start(resolution);
  return run;
}

class CallRun<C extends Run> implements RequestEnd, TrialHost {
  readonly #call: C;
  readonly #reply: ReplyEnd;
  readonly #deps: ResilienceDeps<C>;
  readonly #replay = new Replay();
  /** The endpoints that a first attempt has failed at; most calls need none but the first. */
  #tried: Set<string> | undefined;
  #phase: Phase = UNRESOLVED;
  #cancelDeadline: Cancel | undefined;

  constructor(call: C, reply: ReplyEnd, deps: ResilienceDeps<C>) {
    this.#call = call;
    this.#reply = reply;
    this.#deps = deps;
  }

  start(resolution: Resolution): void {
    const { deadlineMs } = this.#call;
    if (deadlineMs !== undefined) {
      const leftMs = deadlineMs - this.#deps.clock.elapsed();
      this.#cancelDeadline = this.#deps.clock.after(leftMs, () => this.#expire());
    }
    if (resolution.kind !== 'miss') this.#resolved(resolution);
    else this.#phase = { kind: 'resolving', cancel: resolution.wait((resolved) => this.#resolved(resolved)) };
  }

  #resolved(resolved: Resolved): void {
    if (this.#phase.kind !== 'resolving') return;
    if (resolved.kind === 'found') this.#tryNext(resolved.upstream, undefined, 1);
    else this.#fail(resolved.fault);
  }

  // The request, pushed by the caller's side.

  data(chunk: Buffer): Flow {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'resolving':
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
    if (phase.kind === 'resolving' || phase.kind === 'trying') this.#replay.finish(trailers);
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

  // Attempts.

  #tryNext(upstream: Upstream, last: Fault | undefined, number: number): void {
    const endpoint = number <= ATTEMPTS_MAX ? this.#deps.picker.pick(upstream, this.#tried ?? NONE_TRIED) : undefined;
    if (endpoint === undefined) {
      this.#fail(last ?? noEndpoint(upstream));
      return;
    }
    const trial = new Trial(this, upstream, endpoint, number);
    this.#phase = trial;
    const request = this.#deps.attempt(this.#call, endpoint, trial);
    // It may have failed before it returned, and the next trial may be under way from inside that very call (E4).
    if (!this.isCurrent(trial)) return;
    trial.request = request;
    // A pause answers a chunk: where none has come, nobody waits.
    if (this.#replay.isEmpty) return;
    // An attempt that pauses resumes by itself once it takes more; until then what the caller has left stays with the
    // caller, so that a large body whose attempt fails to connect can still be sent elsewhere.
    if (this.#replay.into(request) === 'ok') this.#reply.resume();
  }

  // What one attempt says. Once the run has moved on, its words count for nothing.

  isCurrent(trial: Trial): boolean {
    return this.#phase === trial;
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
    const wasTurnedAway = mayBeSentAgain(reason.code) !== 'never';
    // A peer that merely wants to be spoken to otherwise is none to avoid.
    if (wasTurnedAway && reason.code !== 'peer-downgraded') this.#deps.picker.avoid(trial.upstream, trial.endpoint);
    const again = this.#phase.kind === 'trying' && this.#replay.isWhole ? mayBeSentAgain(reason.code) : 'never';
    if (again === 'never') {
      this.#fail(reason);
      return;
    }
    this.#tried ??= new Set();
    if (again === 'elsewhere') this.#tried.add(endpointKey(trial.endpoint));
    this.#tryNext(trial.upstream, reason, trial.number + 1);
  }

  #expire(): void {
    const reason = fault(
      'timeout',
      `${calleeName(this.#call.target)} did not answer in time: the deadline passed ${EXPIRED_WHILE[this.#phase.kind]}.`,
    );
    this.#leave((request) => request.cancel(reason));
    this.#reply.abort(reason);
  }

  #fail(reason: Fault): void {
    this.#finish();
    this.#reply.abort(reason);
  }

  /** Ends the run and tells whoever is at work on it. */
  #leave(tell: (request: RequestEnd) => void): void {
    const phase = this.#phase;
    this.#finish();
    if (phase.kind === 'resolving') phase.cancel();
    if (isTrial(phase) && phase.request) tell(phase.request);
  }

  #finish(): void {
    this.#phase = DONE;
    this.#cancelDeadline?.();
    this.#replay.drop();
  }
}

/** What an attempt says to its run. */
interface TrialHost {
  tunnelOpened(): void;
  isCurrent(trial: Trial): boolean;
  trialReplies(): ReplyEnd;
  trialEnded(trailers: Headers): void;
  trialFailed(trial: Trial, reason: Fault): void;
  callerMayGoOn(): void;
  callerMayStop(reason: Fault): void;
}

/** One attempt under way: its reply end, and its sending end once the transport has handed it out. */
class Trial implements ReplyEnd {
  kind: 'trying' | 'replying' | 'tunnel' = 'trying';
  readonly upstream: Upstream;
  readonly endpoint: Endpoint;
  readonly number: number;
  request: RequestEnd | undefined;
  readonly #run: TrialHost;
  /** The caller's, once this attempt is the one that answers. */
  #reply: ReplyEnd | undefined;

  constructor(run: TrialHost, upstream: Upstream, endpoint: Endpoint, number: number) {
    this.#run = run;
    this.upstream = upstream;
    this.endpoint = endpoint;
    this.number = number;
  }

  head(head: ReplyHead): void {
    if (!this.#run.isCurrent(this)) return;
    this.kind = head.status === 101 ? 'tunnel' : 'replying';
    this.#reply = this.#run.trialReplies();
    if (this.kind === 'tunnel') this.#run.tunnelOpened();
    this.#reply.head(head);
  }

  data(chunk: Buffer): Flow {
    return this.#run.isCurrent(this) ? (this.#reply?.data(chunk) ?? 'ok') : 'ok';
  }

  end(trailers: Headers): void {
    if (!this.#run.isCurrent(this)) return;
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
}

const UNRESOLVED: Phase = { kind: 'resolving', cancel: () => undefined };
const DONE: Phase = { kind: 'done' };
const NONE_TRIED: ReadonlySet<string> = new Set();

function isTrial(phase: Phase): phase is Trial {
  return phase.kind === 'trying' || phase.kind === 'replying' || phase.kind === 'tunnel';
}

const EXPIRED_WHILE = {
  resolving: 'while its name was looked up',
  trying: 'before it began to answer',
  replying: 'while it was answering',
  tunnel: 'after its tunnel had opened',
  done: 'after the call had ended',
} as const satisfies Record<Phase['kind'], string>;

function noEndpoint(upstream: Upstream): Fault {
  return fault(
    'no-endpoint',
    `${calleeName(upstream.target)} has no ready instance, so nothing was sent; try again once it has started.`,
  );
}
