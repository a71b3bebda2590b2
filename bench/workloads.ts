// What is asked of every pair, by the names under which the ledger keeps it.
import type { Load } from './load-order.ts';
import type { Shape } from './pairs/pair.ts';

export interface LoadWorkload {
  readonly kind: 'load';
  readonly name: string;
  readonly shape: Shape;
  readonly load: Load;
  /** Also of the quick form. */
  readonly isQuick: boolean;
}

/** Started, and left alone. */
export interface IdleWorkload {
  readonly kind: 'idle';
  readonly name: 'idle';
  readonly shape: Shape;
  readonly isQuick: boolean;
}

export type Workload = LoadWorkload | IdleWorkload;

const KIB = 1024;
const MIB = KIB * KIB;

const HTTP: Load = {
  kind: 'http',
  connections: 16,
  streams: 0,
  idleConnections: 0,
  stoppedReaders: 0,
  hasBulk: false,
  requestBytes: KIB,
  answerBytes: KIB,
  isChunked: false,
  perSecond: 1000,
};
const SATURATED = { connections: 32, perSecond: 0 };
const UNARY: Load = { ...HTTP, kind: 'grpc-unary', connections: 4, streams: 32 };
const BIDI: Load = { ...UNARY, kind: 'grpc-bidi' };
const STREAMED = { connections: 4, isChunked: true, perSecond: 20 };

/** In the order in which they are run: memory only grows, so what uses less of it comes first. */
export const WORKLOADS: readonly Workload[] = [
  { kind: 'idle', name: 'idle', shape: 'http', isQuick: true },
  quick('http-1k-at-1000', 'http', HTTP),
  quick('http-1k-saturated', 'http', { ...HTTP, ...SATURATED }),
  load('http-1k-at-1000-beside-1000-idle', 'http', { ...HTTP, idleConnections: 1000 }),
  load('http-16k-at-1000', 'http', { ...HTTP, ...bytes(16 * KIB) }),
  load('http-16k-saturated', 'http', { ...HTTP, ...SATURATED, ...bytes(16 * KIB) }),
  quick('http-64k-at-200', 'http', { ...HTTP, ...bytes(64 * KIB), perSecond: 200 }),
  load('http-1m-up-at-20', 'http', { ...HTTP, ...STREAMED, requestBytes: MIB, answerBytes: 1 }),
  load('http-1m-down-at-20', 'http', { ...HTTP, ...STREAMED, requestBytes: 0, answerBytes: MIB }),
  load('http-1k-at-200-beside-200-stopped', 'http', { ...HTTP, stoppedReaders: 200, hasBulk: true, perSecond: 200 }),
  load('grpc-1k-at-1000', 'grpc', UNARY),
  quick('grpc-1k-saturated', 'grpc', { ...UNARY, perSecond: 0 }),
  load('grpc-bidi-1k-at-1000', 'grpc', BIDI),
  load('grpc-bidi-1k-saturated', 'grpc', { ...BIDI, perSecond: 0 }),
  load('http-1k-at-1000-armed', 'http-armed', HTTP),
  load('http-1k-saturated-armed', 'http-armed', { ...HTTP, ...SATURATED }),
  load('grpc-1k-saturated-armed', 'grpc-armed', { ...UNARY, perSecond: 0 }),
  load('http-1k-at-1000-to-500-apps', 'many', HTTP),
];

/**
 * Calls of the same kind as fast as they go, and nothing beside them: a compiler has to have seen them, and what it has made of calls of
 * another kind it may have to throw away.
 */
export function warmUpOf({ shape, load: kind }: LoadWorkload): LoadWorkload {
  const alone = { idleConnections: 0, stoppedReaders: 0, hasBulk: false };
  return load('warming up', shape, { ...kind, ...alone, perSecond: 0 });
}

/** The same for workloads that one warm-up does for: they differ in their pace, or in how many connections there are. */
export function kindOf(workload: LoadWorkload): string {
  return JSON.stringify({ ...warmUpOf(workload).load, connections: 0 });
}

function load(name: string, shape: Shape, one: Load): LoadWorkload {
  return { kind: 'load', name, shape, load: one, isQuick: false };
}

function quick(name: string, shape: Shape, one: Load): LoadWorkload {
  return { ...load(name, shape, one), isQuick: true };
}

/** Of the request's body and of the answer's. */
function bytes(each: number) {
  return { requestBytes: each, answerBytes: each };
}
