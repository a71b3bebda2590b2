// How long a chain of calls is, each of which an app made because of the one before: so that a circle ends.
//
// The sidecar of whoever calls counts, and the app that is called hears of it in a header. An app that passes on the headers that it
// got passes on the count. One that does not begins a chain of its own, as far as anybody can tell. Whoever makes a count up
// shortens nothing but the chain that its own call begins.

import { parseWhole } from '../kit/values.ts';
import { type Fault, fault } from './fault.ts';
import { type Headers, headerValue, headerValues } from './headers.ts';

export const HOPS = 'invoke-hops';

/** More than any chain that somebody meant, and few enough that a circle is over at once. */
export const DEFAULT_HOPS_MAX = 32;
/** What `--max-hops` may say. */
export const MOST_HOPS_MAX = 255;

const COUNT = /^[1-9]\d{0,2}$/;
const UNREADABLE = -1;
/** Made once: each is written with many calls. */
const TEXTS = Array.from({ length: MOST_HOPS_MAX + 1 }, (_, hops) => String(hops));

/** What a message says: 0 if nothing, and a negative number if it is no count, or more than one. */
export function hopsSaid(fields: Headers): number {
  const text = headerValue(fields, HOPS);
  if (text === undefined) return 0;
  return COUNT.test(text) && headerValues(fields, HOPS).length === 1 ? Number(text) : UNREADABLE;
}

export const parseHopsMax = parseWhole(1, MOST_HOPS_MAX, 'a number of calls');

export function hopsText(hops: number): string {
  return TEXTS[hops] ?? String(hops);
}

/** Why a call may not be made that was led to by a message that says so. */
export function hopsProblem(said: number, max: number): Fault | undefined {
  if (said < max && said >= 0) return undefined;
  if (said < 0)
    return fault(
      'bad-request',
      `${HOPS} is no number of calls; pass it on as it came, or leave it out. Nothing was sent.`,
    );
  const message =
    `${said} calls led to this one, each made because of the one before, which is as many as may be (--max-hops ${max}); nothing was sent. ` +
    `Most likely apps call each other in a circle, or an app port leads to a sidecar. If the chain is meant, raise --max-hops, or do not pass on the header ${HOPS}.`;
  return fault('loop', message);
}
