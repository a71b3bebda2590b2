// A pair: a sidecar beside the caller and one beside the app, with mutual TLS between. What is told of each is the same, whoever
// made it.
import type { Result } from '../../kit/result.ts';
import type { Child, Children } from '../children.ts';
import type { App } from '../load-generator.ts';
import type { Certificates } from './certificates.ts';

export const PAIR_NAMES = ['direct', 'invoke', 'envoy', 'haproxy', 'nginx', 'daprd'] as const;
export type PairName = (typeof PAIR_NAMES)[number];

/**
 * What is called through a pair: one app over HTTP/1.1, one over gRPC, or many over HTTP/1.1, each with a sidecar of its own; and with
 * everything armed (armed.ts).
 */
export type Shape = 'http' | 'grpc' | 'many' | 'http-armed' | 'grpc-armed';

export function speaksGrpc(shape: Shape): boolean {
  return shape === 'grpc' || shape === 'grpc-armed';
}

export function isArmed(shape: Shape): boolean {
  return shape === 'http-armed' || shape === 'grpc-armed';
}

const MANY = 500;
/** So many of them share a process: by themselves, five hundred sidecars would want more memory than a machine for tests has. */
const HOUSED = 100;
/** By the shape, the names by which apps are called; all of them are one process. */
export const TARGETS: Readonly<Record<Shape, readonly string[]>> = {
  http: ['server'],
  grpc: ['server'],
  'http-armed': ['server'],
  'grpc-armed': ['server'],
  many: Array.from({ length: MANY }, (_, i) => `server-${i}`),
};

/** The apps' sidecars, by the processes that run them: one each, but where there are many. */
export function housed<T>(servers: readonly T[]): readonly (readonly T[])[] {
  const houses: T[][] = [];
  for (let i = 0; i < servers.length; i += HOUSED) houses.push(servers.slice(i, i + HOUSED));
  return houses;
}

/** Of a pair that has nothing of it here. */
export const UNARMED = 'it is measured without rules and resilience alone';

export interface PairTools {
  readonly children: Children;
  /** Of this pair alone; it is deleted at the end of the run. */
  readonly folder: string;
  /** Kept from run to run: what was downloaded. */
  readonly cacheFolder: string;
  readonly certificates: Certificates;
  readonly app: App;
  /** Of this process's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface RunningPair {
  /** Where the load goes. */
  readonly port: number;
  /** Processes, the caller's first; none where the load goes to the app at once. */
  readonly sidecars: readonly Child[];
  readonly start: StartTimes | undefined;
}

/** Of the caller's sidecar, from its start; the app's runs by then. */
export interface StartTimes {
  readonly listeningMs: number;
  readonly answeringMs: number;
}

export interface Pair {
  readonly version: string;
  /** Or why it cannot carry calls of this shape. */
  start(shape: Shape): Promise<Result<RunningPair>>;
  /** Of what it runs beside the sidecars in this process. */
  close?(): Promise<void>;
}

/** Finds what the pair needs on this machine, or says why it is left out and what to do about that. */
export type PreparePair = (tools: PairTools) => Promise<Result<Pair>>;

export function appPortOf(shape: Shape, { httpPort, grpcPort }: App): number {
  return speaksGrpc(shape) ? grpcPort : httpPort;
}
