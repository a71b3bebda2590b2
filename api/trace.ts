// W3C Trace Context (level 1): a call continues the trace that it came with, or starts one.
import type { Random } from '../kit/backoff.ts';
import { type Headers, headerValue, headerValues, without } from './headers.ts';

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
  const given = headerValue(headers, 'traceparent');
  if (given !== undefined && isTraceparent(given) && headerValues(headers, 'traceparent').length === 1) return headers;
  const clean = without(without(headers, 'traceparent'), 'tracestate');
  return [...clean, 'traceparent', freshTraceparent(random)];
}

/** The same as OpenCensus has it in `grpc-trace-bin`, which Dapr sends beside it: numbered fields of fixed lengths. */
export function traceBin(traceparent: string): string | undefined {
  if (!isTraceparent(traceparent)) return undefined;
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  return Buffer.from(`0000${traceId}01${spanId}02${flags}`, 'hex').toString('base64').replace(/=+$/, '');
}

const TRACE_ID_AT = 3;
const SPAN_ID_AT = 36;
const HEX = Buffer.from('0123456789abcdef');
/** Written over and over: a call that starts a trace makes one string of it, and not one for each of its parts. */
const scratch = Buffer.from(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`);

function freshTraceparent(random: Random): string {
  writeHexId(TRACE_ID_AT, 32, random);
  writeHexId(SPAN_ID_AT, 16, random);
  return scratch.toString('latin1');
}

/** An id of zeros alone is none (W3C Trace Context, 3.2.2). */
function writeHexId(at: number, digits: number, random: Random): void {
  let seen = 0;
  for (let digit = 0; digit < digits; digit += 8) {
    let bits = (random() * 2 ** 32) | 0;
    seen |= bits;
    for (let place = 0; place < 8; place++) {
      scratch[at + digit + place] = HEX[(bits >>> 28) & 15] ?? 0;
      bits <<= 4;
    }
  }
  if (seen === 0) scratch[at + digits - 1] = HEX[1] ?? 0;
}
