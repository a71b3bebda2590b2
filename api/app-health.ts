// How a sidecar finds out whether its app is healthy: Dapr's settings, their bounds, and what holds where nobody says.
import { err, ok, type Result } from '../kit/result.ts';
import { parseWhole } from '../kit/values.ts';

export interface AppHealthConfig {
  /** Asked by GET; an app that speaks gRPC is asked by AppCallbackHealthCheck instead. */
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many failures in a row make a healthy app unhealthy. */
  readonly threshold: number;
}

/** As people write them. */
export const APP_HEALTH_DEFAULTS = { path: '/healthz', intervalSec: '5', timeoutMs: '500', threshold: '3' } as const;

/** Printable, without blanks; a fragment is not sent. */
export function parseHealthPath(text: string): Result<string> {
  const path = text.startsWith('/') ? text : `/${text}`;
  return /^[!-~]{1,1024}$/.test(path) && !path.includes('#')
    ? ok(path)
    : err(`"${text}" is not a path; write such as /healthz`);
}

export const parseHealthIntervalSec = parseWhole(1, 3600, 'a number of seconds');
export const parseHealthTimeoutMs = parseWhole(1, 60_000, 'a number of milliseconds');
export const parseHealthThreshold = parseWhole(1, 1000, 'a number of failures');

/** The mistake that only both together can be. */
export function healthTimeoutMistake({ intervalMs, timeoutMs }: AppHealthConfig): string | undefined {
  if (timeoutMs <= intervalMs) return undefined;
  return `${timeoutMs} ms is longer than the interval of ${intervalMs / 1000} s; make it shorter`;
}

/** Undefined for -1, which is how Dapr says that there is no limit. */
export function parseMaxConcurrency(text: string): Result<number | undefined> {
  if (text === '-1') return ok(undefined);
  return parseWhole(1, 1_000_000, 'a number of calls')(text);
}
