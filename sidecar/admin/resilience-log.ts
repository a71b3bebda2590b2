// Lines of the log about what changes whom calls go to: breakers that open and close, instances that are ejected and come back. A
// target with many of them fills no disk: there are so many a second, and the next one says how many were left out.
import { type Callee, calleeName } from '../../api/external.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log, LogFields } from '../../kit/log.ts';
import { SeldomLine } from '../../kit/log-seldom.ts';
import { excerpt } from '../../kit/text.ts';
import { type Instance, memberKey } from '../../policy/resiliency/pick/member.ts';
import type { RoutePlan } from '../../policy/resiliency/plan.ts';
import type { BreakerChange, Ejection } from '../../policy/resiliency/watch.ts';

/** Of each kind, in a second. */
const LINES_MAX = 10;
const PATH_CHARACTERS_MAX = 200;

export class ResilienceLog {
  readonly #opened: SeldomLine;
  readonly #closed: SeldomLine;
  readonly #ejected: SeldomLine;
  readonly #readmitted: SeldomLine;

  constructor(log: Log, clock: Pick<Clock, 'elapsed'>) {
    const lines = (say: (message: string, fields: LogFields) => void, message: string) =>
      new SeldomLine(clock, (fields) => say(message, fields), LINES_MAX);
    this.#opened = lines(log.warn, 'a circuit breaker opened: calls are refused for a while');
    this.#closed = lines(log.info, 'a circuit breaker closed: calls go through again');
    this.#ejected = lines(log.warn, 'an instance is ejected: it gets no calls for a while');
    this.#readmitted = lines(log.info, 'an instance is called again');
  }

  breakerBecame(target: Callee, { name }: RoutePlan, path: string, change: BreakerChange): void {
    const where = name === undefined ? { path: excerpt(path, PATH_CHARACTERS_MAX) } : { route: name };
    const about = { target: calleeName(target), ...where };
    if (change.to === 'open') this.#opened.say({ ...about, why: change.why, forMs: change.forMs });
    if (change.to === 'closed') this.#closed.say(about);
  }

  ejected(target: Callee, instance: Instance, { why, failures, forMs }: Ejection): void {
    this.#ejected.say({ ...about(target, instance), why: WHY[why](failures), forMs });
  }

  readmitted(target: Callee, instance: Instance): void {
    this.#readmitted.say(about(target, instance));
  }
}

const WHY: Readonly<Record<Ejection['why'], (failures: number) => string>> = {
  failures: (failures) => `${failures} failures in a row`,
  outlier: () => 'it fails far more often than the others',
  probe: () => 'it failed again, when it was let try',
};

function about(target: Callee, instance: Instance): LogFields {
  return { target: calleeName(target), instance: memberKey(instance) };
}
