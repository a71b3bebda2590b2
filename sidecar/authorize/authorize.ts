// Authorize: may this caller make this call?
//
//   identify > [authorize] > resolve > resilience > transport
//
// Every call has a proven caller by the time it comes here. The sidecar of the app that is called decides, by all policies; the
// caller's own turns back early what it knows to be forbidden. Only this file makes a PermittedCall and transport takes
// nothing else, so a way that forgets to ask does not compile.
import type { Call } from '../../api/call.ts';
import type { Fault } from '../../api/fault.ts';
import type { Identity } from '../../api/ids.ts';
import type { Snapshot } from '../../kit/snapshot.ts';
import { decide } from '../../policy/access/decide.ts';
import type { Verdict } from '../../policy/access/verdict.ts';
import type { Access } from './access.ts';
import { mayNotEnter, mayNotLeave, mayNotStay } from './denial.ts';

declare const permitted: unique symbol;
export type PermittedCall = Call & { readonly [permitted]: true };

/** In place of a call: told from one by its kind. */
export interface DeniedCall {
  readonly kind: 'denied';
  readonly fault: Fault;
}

/** Hears of each call that a policy had a say in; see admin/access-watch.ts. */
export interface AccessWatch {
  judged(direction: 'outbound' | 'inbound', call: Call, verdict: Verdict): void;
}

export class Authorizer {
  readonly #own: Identity;
  readonly #access: Snapshot<Access>;
  readonly #watch: AccessWatch;

  constructor(own: Identity, access: Snapshot<Access>, watch: AccessWatch) {
    this.#own = own;
    this.#access = access;
    this.#watch = watch;
  }

  /** Of a call to the own app, whoever made it. */
  enter(call: Call): PermittedCall | DeniedCall {
    const { entering } = this.#access.current();
    if (entering === undefined) return call as PermittedCall;
    const verdict = decide(entering, call);
    this.#watch.judged('inbound', call, verdict);
    if (verdict.kind === 'allow') return call as PermittedCall;
    return { kind: 'denied', fault: mayNotEnter(this.#own, call.caller, verdict) };
  }

  /** Of a call that the own app makes. */
  leave(call: Call): PermittedCall | DeniedCall {
    const denial = this.#access.current().leaving?.denial(call.target);
    if (denial === undefined) return call as PermittedCall;
    this.#watch.judged('outbound', call, denial);
    return { kind: 'denied', fault: mayNotLeave(this.#own, call.target, denial) };
  }

  /** Why a call that was let in may not go on; undefined when it may. */
  recall(call: Call): Fault | undefined {
    const { entering } = this.#access.current();
    if (entering === undefined) return undefined;
    const verdict = decide(entering, call);
    if (verdict.kind === 'allow') return undefined;
    this.#watch.judged('inbound', call, verdict);
    return mayNotStay(this.#own, call.caller, verdict);
  }
}
