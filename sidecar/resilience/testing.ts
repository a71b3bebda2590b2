// For tests of calls: endpoints that do as the test says, and a clock that the test moves. What was seen and heard is of the test that
// runs.
import type { Call } from '../../api/call.ts';
import type { Flow, ReplyEnd, RequestEnd } from '../../api/exchange.ts';
import { type Fault, type FaultCode, fault } from '../../api/fault.ts';
import { canonicalPath } from '../../api/path.ts';
import { must } from '../../kit/result.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { BUILT_IN, type TargetPlan } from '../../policy/resiliency/plan.ts';
import type { Resolution, Resolved } from '../resolve/resolver.ts';
import { identityOf } from '../testing/mesh.ts';
import { permitted } from '../testing/permitted.ts';
import { runCall } from './attempts.ts';
import { Targets } from './targets.ts';

/** One attempt as the endpoint saw it. */
export interface Seen {
  readonly port: number;
  readonly chunks: string[];
  ended: boolean;
  left: Fault | undefined;
  flow: Flow;
  resumes: number;
  readonly reply: ReplyEnd;
}

export let clock: ManualClock = manualClock();
export let seen: Seen[] = [];
/** What the caller heard. */
export let heard: string[] = [];

const callerEnd: ReplyEnd = {
  head: ({ status }) => heard.push(`head ${status}`),
  data: (chunk) => {
    heard.push(`data ${chunk}`);
    return 'ok';
  },
  end: () => heard.push('end'),
  abort: ({ code }) => heard.push(`abort ${code}`),
  resume: () => heard.push('resume'),
  cancel: ({ code }) => heard.push(`cancel ${code}`),
};

/** To be called before each test. */
export function startAnew(): void {
  clock = manualClock();
  forgetSeen();
  forgetHeard();
}

export function forgetSeen(): void {
  seen = [];
}

export function forgetHeard(): void {
  heard = [];
}

/** The attempt at an endpoint; `refusesAtOnce` fails before it has returned, as a closed connection does. */
function attempt(refusesAtOnce?: FaultCode) {
  return (_call: Call, { port }: { port: number }, reply: ReplyEnd): RequestEnd => {
    const one: Seen = { port, chunks: [], ended: false, left: undefined, flow: 'ok', resumes: 0, reply };
    seen.push(one);
    if (refusesAtOnce !== undefined) reply.abort(fault(refusesAtOnce, 'refused'));
    return {
      data: (chunk) => {
        one.chunks.push(chunk.toString());
        return one.flow;
      },
      end: () => {
        one.ended = true;
      },
      abort: (reason) => {
        one.left = reason;
      },
      resume: () => {
        one.resumes++;
      },
      cancel: (reason) => {
        one.left = reason;
      },
    };
  };
}

export const target = identityOf('orders');
export const endpoints = (...ports: readonly number[]): Resolved => ({
  kind: 'found',
  upstream: { target, endpoints: () => ports.map((port) => ({ host: 'h', port })) },
});

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly refusesAtOnce?: FaultCode;
  readonly protocol?: string;
  readonly method?: string;
  readonly bodyBytes?: number;
  readonly kind?: 'http' | 'grpc';
  readonly plan?: TargetPlan;
  readonly random?: () => number;
  readonly targets?: Targets;
}

export function run(resolution: Resolution, options: RunOptions = {}): RequestEnd {
  const { protocol, kind = 'http', method = 'POST', bodyBytes } = options;
  const call = permitted({
    ...(protocol === undefined ? { kind } : { kind: 'tunnel', protocol }),
    target,
    caller: identityOf('web'),
    method,
    path: must(canonicalPath('/x')),
    query: '',
    headers: [],
    bodyBytes,
    deadlineMs: options.timeoutMs === undefined ? undefined : clock.elapsed() + options.timeoutMs,
    hops: 1,
  });
  const { plan = BUILT_IN, random = () => 0 } = options;
  const { targets = new Targets(() => plan, random, clock) } = options;
  const deps = { clock, random, targets, attempt: attempt(options.refusesAtOnce) };
  return runCall(call, resolution, callerEnd, deps);
}

/** The attempt with this number, from 0. */
export function nth(number: number): Seen {
  const one = seen[number];
  if (one === undefined) throw new Error(`there was no attempt ${number}`);
  return one;
}

export function fails(number: number, code: FaultCode): void {
  nth(number).reply.abort(fault(code, 'it failed'));
}

export const OK = { status: 200, headers: [], bodyBytes: undefined };
