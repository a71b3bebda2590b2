// One request to the API server and its whole answer, within a time.
import type { IncomingMessage } from 'node:http';
import { type Clock, sleep } from '../kit/clock.ts';
import { parseJson } from '../kit/json.ts';
import type { Log } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { failureOf, unreachable } from './failure.ts';
import type { Answered, KubeFailure } from './kube.ts';
import type { ApiRequest, Transport } from './transport.ts';

/** Settles with the parsed body of a success. `asked` says for messages what is wanted: `get pods shop/web-1`. */
export type Exchange = (asked: string, request: ApiRequest) => Answered<unknown>;

export const REQUEST_TIMEOUT_MS = 15_000;
/** A server that asks for a longer wait than this is unavailable. */
const RETRY_AFTER_MAX_MS = 10_000;
const ANSWER_BYTES_MAX = 128 * 1024 * 1024;

/** One request and its whole answer, within the time; a second one where the server says when. */
export function exchanging(transport: Transport, clock: Clock, log: Log): Exchange {
  return async (asked, request) => {
    const first = await attempt(transport, clock, asked, request);
    if (!first.ok) return first;
    for (const warning of first.value.warnings) log.warn('the API server warns', { asked, warning });
    const waitMs = first.value.retryAfterMs;
    if (waitMs === undefined || waitMs > RETRY_AFTER_MAX_MS) return resultOf(asked, first.value);
    await sleep(clock, waitMs);
    const second = await attempt(transport, clock, asked, request);
    return second.ok ? resultOf(asked, second.value) : second;
  };
}

interface Answer {
  readonly httpStatus: number;
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;
  readonly warnings: readonly string[];
}

function resultOf(asked: string, { httpStatus, body }: Answer): Result<unknown, KubeFailure> {
  return httpStatus >= 200 && httpStatus < 300 ? ok(body) : err(failureOf(httpStatus, body, asked));
}

async function attempt(transport: Transport, clock: Clock, asked: string, request: ApiRequest): Answered<Answer> {
  const deadline = new AbortController();
  const cancel = clock.after(REQUEST_TIMEOUT_MS, () =>
    deadline.abort(new Error(`no answer within ${REQUEST_TIMEOUT_MS / 1000} s`)),
  );
  try {
    const answer = await transport(request, deadline.signal);
    const text = await textOf(answer, ANSWER_BYTES_MAX);
    // What was cut off may look like an end.
    deadline.signal.throwIfAborted();
    const body = parsed(text);
    const { statusCode: httpStatus = 0, headers } = answer;
    const retryAfterMs = httpStatus === 429 ? secondsToMs(headers['retry-after']) : undefined;
    return ok({ httpStatus, body, retryAfterMs, warnings: answer.headersDistinct.warning ?? [] });
  } catch (error) {
    const reason: unknown = deadline.signal.aborted ? deadline.signal.reason : error;
    return err(unreachable(asked, reason));
  } finally {
    cancel();
  }
}

/** The whole body. Rejects when it breaks off or is longer than the bound. */
export async function textOf(answer: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop destroys the answer, and its connection with it.
    if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What is not JSON stays text: proxies on the way answer in HTML. */
export function parsed(text: string): unknown {
  const json = parseJson(text);
  return json.ok ? json.value : text;
}

function secondsToMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}
