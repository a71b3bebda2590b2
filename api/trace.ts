// W3C Trace Context (level 1): a call continues the trace that it came with, or starts one.
import type { Random } from '../kit/backoff.ts';
import { type Headers, headerValues, without } from './headers.ts';

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export function isTraceparent(text: string): boolean {
  const match = TRACEPARENT.exec(text);
  if (!match || match[1] === 'ff' || /^0+$/.test(match[2] ?? '') || /^0+$/.test(match[3] ?? '')) return false;
  return match[1] !== '00' || match[5] === undefined;
}

/**
 * The headers with a valid traceparent. One that is there passes untouched: this sidecar exports no span of its own
 * yet, and naming itself as the parent would tear the caller's trace in two. A broken one takes tracestate with it, and
 * so do two: the app could read another than this sidecar.
 */
export function traced(headers: Headers, random: Random): Headers {
  const [given, ...more] = headerValues(headers, 'traceparent');
  if (given !== undefined && more.length === 0 && isTraceparent(given)) return headers;
  const clean = without(without(headers, 'traceparent'), 'tracestate');
  return [...clean, 'traceparent', `00-${hexId(32, random)}-${hexId(16, random)}-01`];
}

function hexId(digits: number, random: Random): string {
  let id = '';
  while (id.length < digits)
    id += Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  // An id of zeros alone is none (W3C Trace Context, 3.2.2).
  return /^0+$/.test(id) ? id.replace(/0$/, '1') : id;
}
