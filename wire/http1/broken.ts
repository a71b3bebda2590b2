// What was wrong with a message, and with which status a server says so.
import type { WireFailure } from '../message.ts';

export interface Broken {
  readonly failure: WireFailure;
  /** For requests; a response that breaks a rule is answered by nobody. */
  readonly status: number;
}

/** `rule` is a label, for logs and counters: never text that came from outside. */
export function malformed(rule: string, status = 400): Broken {
  return { failure: { kind: 'malformed', reason: rule }, status };
}

export function exceeded(bound: string, status = 431): Broken {
  return { failure: { kind: 'limit', reason: bound }, status };
}

export function isBroken(value: object): value is Broken {
  return 'failure' in value;
}
