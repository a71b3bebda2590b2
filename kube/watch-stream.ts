// One watch request: an endless answer whose every line is an event.
import type { IncomingMessage } from 'node:http';
import type { Cancel, Clock } from '../kit/clock.ts';
import { parsed, textOf } from './exchange.ts';
import { failureOf, unreachable } from './failure.ts';
import type { KubeFailure, WatchEvent, WatchRequest } from './kube.ts';
import { lineReader } from './lines.ts';
import type { Transport } from './transport.ts';
import type { Kind, KubernetesObject } from './types.ts';
import { nameOf, pathOf, received, selectorsOf } from './wire.ts';

export interface WatchStreamDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
}

/** No object in etcd is larger than 1.5 MiB; JSON and managed fields make it longer. */
const LINE_BYTES_MAX = 8 * 1024 * 1024;
const REFUSAL_BYTES_MAX = 1024 * 1024;

/** After the cancel, nothing is called. */
export function watchStream<T extends KubernetesObject>(
  deps: WatchStreamDeps,
  kind: Kind<T>,
  request: WatchRequest,
  event: (event: WatchEvent<T>) => void,
  ended: (failure: KubeFailure | undefined) => void,
): Cancel {
  const asked = `watch ${nameOf(kind, { namespace: request.namespace })}`;
  const cut = new AbortController();
  let isOver = false;
  const end = (failure: KubeFailure | undefined) => {
    if (isOver) return;
    isOver = true;
    cut.abort();
    ended(failure);
  };
  const line = (text: string) => {
    if (isOver) return;
    const read = eventOf(kind, parsed(text), asked);
    if (read.kind === 'failure') end(read.failure);
    else event(read);
  };
  const reason = (error: unknown): unknown => (cut.signal.aborted ? cut.signal.reason : error);
  void open(deps, `${pathOf(kind, request)}?${queryOf(request)}`, cut).then(
    (opened) => {
      if (opened.kind === 'refused') end(failureOf(opened.httpStatus, opened.body, asked));
      else pump(opened.answer, asked, line, end);
    },
    (error: unknown) => end(unreachable(asked, reason(error))),
  );
  return () => {
    isOver = true;
    cut.abort();
  };
}

type Opened =
  | { readonly kind: 'open'; readonly answer: IncomingMessage }
  | { readonly kind: 'refused'; readonly httpStatus: number; readonly body: unknown };

/** The time to connect covers the head of the answer, and all of a refusal. */
async function open(deps: WatchStreamDeps, path: string, cut: AbortController): Promise<Opened> {
  const { clock, connectTimeoutMs } = deps;
  const timeout = new Error(`no answer within ${connectTimeoutMs / 1000} s`);
  const cancel = clock.after(connectTimeoutMs, () => cut.abort(timeout));
  try {
    const answer = await deps.transport({ method: 'GET', path }, cut.signal);
    if (answer.statusCode === 200) return { kind: 'open', answer };
    const body = parsed(await textOf(answer, REFUSAL_BYTES_MAX));
    return { kind: 'refused', httpStatus: answer.statusCode ?? 0, body };
  } finally {
    cancel();
  }
}

/**
 * Events are handled as they are read, in the turn of the event loop in which their bytes came: who is slow to handle them
 * is slow to read, and the connection pushes back by itself.
 */
function pump(
  answer: IncomingMessage,
  asked: string,
  line: (text: string) => void,
  end: (failure: KubeFailure | undefined) => void,
): void {
  const lines = lineReader(LINE_BYTES_MAX, line);
  answer.on('data', (chunk: Buffer) => {
    if (!lines.push(chunk)) end(unreachable(asked, `an event is longer than ${LINE_BYTES_MAX} bytes`));
  });
  answer.on('end', () => end(undefined));
  answer.on('error', (error) => end(unreachable(asked, error)));
  answer.on('close', () => end(unreachable(asked, 'the connection broke off')));
}

function queryOf(request: WatchRequest): URLSearchParams {
  return new URLSearchParams({
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: request.resourceVersion,
    timeoutSeconds: `${request.timeoutSec}`,
    ...selectorsOf(request),
  });
}

type Line<T> = WatchEvent<T> | { readonly kind: 'failure'; readonly failure: KubeFailure };

const CHANGES: Readonly<Record<string, 'added' | 'modified' | 'deleted'>> = {
  ADDED: 'added',
  MODIFIED: 'modified',
  DELETED: 'deleted',
};

function eventOf<T extends KubernetesObject>(kind: Kind<T>, line: unknown, asked: string): Line<T> {
  const { type, object } = isEvent(line) ? line : { type: 'not an event', object: line };
  const change = CHANGES[type];
  if (change !== undefined) return { kind: change, object: received(kind, object as T) };
  if (type === 'ERROR') return { kind: 'failure', failure: failureOf(500, object, asked) };
  const resourceVersion = type === 'BOOKMARK' ? (object as KubernetesObject).metadata?.resourceVersion : undefined;
  if (resourceVersion !== undefined) return { kind: 'bookmark', resourceVersion };
  return { kind: 'failure', failure: unreachable(asked, `an event of an unknown kind: ${type}`) };
}

function isEvent(line: unknown): line is { readonly type: string; readonly object: unknown } {
  if (typeof line !== 'object' || line === null) return false;
  const isObject = 'object' in line && typeof line.object === 'object' && line.object !== null;
  return isObject && 'type' in line && typeof line.type === 'string';
}
