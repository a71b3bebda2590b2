// What is asked of every pair, by the names under which the ledger keeps it.
import type { Pace } from './load-order.ts';

export interface LoadWorkload {
  readonly kind: 'load';
  readonly name: string;
  readonly connections: number;
  /** Of the request's body and of the answer's. */
  readonly bodyBytes: number;
  readonly pace: Pace;
  /** Also of the quick form. */
  readonly isQuick: boolean;
}

/** Started, and left alone. */
export interface IdleWorkload {
  readonly kind: 'idle';
  readonly name: 'idle';
  readonly isQuick: boolean;
}

export type Workload = LoadWorkload | IdleWorkload;

const KIB = 1024;
const SATURATED: Pace = { kind: 'saturated' };

/** In the order in which they are run: memory only grows, so what uses less of it comes first. */
export const WORKLOADS: readonly Workload[] = [
  { kind: 'idle', name: 'idle', isQuick: true },
  load('http-1k-at-1000', 16, KIB, at(1000), true),
  load('http-1k-saturated', 32, KIB, SATURATED, true),
  load('http-1k-at-1000-on-1000-connections', 1000, KIB, at(1000), false),
  load('http-16k-at-500', 16, 16 * KIB, at(500), false),
  load('http-64k-at-200', 16, 64 * KIB, at(200), true),
  load('http-1m-at-20', 4, KIB * KIB, at(20), false),
];

function load(name: string, connections: number, bodyBytes: number, pace: Pace, isQuick: boolean): LoadWorkload {
  return { kind: 'load', name, connections, bodyBytes, pace, isQuick };
}

function at(perSecond: number): Pace {
  return { kind: 'fixed', perSecond };
}
