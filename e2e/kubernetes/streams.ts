// What lasts, between pods: how a suite opens streams from a pod and looks after them. The pods run streams.mjs.
import { type AppOptions, control, deploy, meshed } from './apps.ts';
import { until } from './kubectl.ts';

/** `calls` is a row of calls over HTTP on one connection. */
export type Kind = 'events' | 'socket' | 'talk' | 'calls';

export interface Stream {
  /** The last twenty. */
  readonly heard: readonly string[];
  readonly count: number;
  /** Why, if it has. */
  readonly ended?: string;
  /** When, by the clock of its pod. */
  readonly endedMs?: number;
}

/** Of a call over gRPC or HTTP. */
export interface CallOutcome {
  readonly status: string;
  readonly message: string;
  readonly answer: string;
}

/** A pod's app. */
export interface Place {
  readonly namespace: string;
  readonly pod: string;
}

/** An app on streams.mjs, that speaks HTTP or gRPC. */
export async function deployStreams(name: string, namespace: string, speaks: 'http' | 'grpc', replicas = 1) {
  const container = { command: ['node', '/app/streams.mjs'] };
  const env = { APP_SPEAKS: speaks };
  const options: AppOptions = { name, namespace, replicas, env, container };
  await deploy({ ...options, annotations: meshed(name, { 'app-protocol': speaks }) });
}

function ask<T>({ namespace, pod }: Place, what: string, given: Readonly<Record<string, string>>): Promise<T> {
  return control(namespace, pod, `${what}?${new URLSearchParams(given)}`);
}

export function openStream(place: Place, name: string, kind: Kind, target: string): Promise<void> {
  return ask(place, 'open', { name, kind, target });
}

export function streamOf(place: Place, name: string): Promise<Stream> {
  return ask(place, 'stream', { name });
}

export function closeStream(place: Place, name: string): Promise<void> {
  return ask(place, 'close', { name });
}

/** Says it, and waits for what it comes back as. */
export async function conversed(place: Place, name: string, text: string): Promise<string> {
  await ask(place, 'say', { name, text });
  return until(`an answer to ${text}`, async () => {
    const { heard, ended } = await streamOf(place, name);
    const found = heard.find((one) => one.endsWith(` ${text}`));
    if (found === undefined && ended !== undefined) return `it had ended: ${ended}`;
    return found;
  });
}

export function grpcCall(place: Place, target: string, text: string): Promise<CallOutcome> {
  return ask(place, 'call', { target, text });
}

export function invokeService(place: Place, target: string, method: string, text: string): Promise<CallOutcome> {
  return ask(place, 'invoke-service', { target, method, text });
}

export interface HttpCall {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  /** Whom the caller claims to be, in a header. */
  readonly claims?: string;
}

export function httpCall(place: Place, { method, target, path, claims }: HttpCall): Promise<CallOutcome> {
  return ask(place, 'http', { method, target, path, ...(claims === undefined ? {} : { claims }) });
}

/** By the URL form. */
export function post(place: Place, target: string, method: string, text: string): Promise<CallOutcome> {
  return ask(place, 'post', { target, method, text });
}
