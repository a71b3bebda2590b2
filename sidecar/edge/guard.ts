// Who may speak to the app API at all: the checks that come before anybody looks at what is asked.
//
// The API listens on loopback, where every web page that the developer has open can reach it too. A page betrays itself
// by Origin or Sec-Fetch-Site, and a page that plays with DNS (rebinding) by a Host that is no name of this machine.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { type Fault, fault } from '../../api/fault.ts';
import { type Headers, headerValue, headerValues } from '../../api/headers.ts';
import { isKnownVerb } from '../../api/verb.ts';

export interface GuardRules {
  readonly apiToken: string | undefined;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
}

export const NO_TUNNEL = fault('method-refused', 'CONNECT is not for calls; use any other verb.');

const UNKNOWN_VERB = fault('bad-request', 'the request begins with no HTTP verb that is known here.');

const UNKNOWN_EXPECTATION = fault(
  'bad-request',
  'the request expects something that this sidecar does not know; the only expectation is 100-continue.',
);

/**
 * What nobody is served, whoever asks. Such a client may go on in a language that is not ours, with a tunnel's bytes say,
 * so its connection ends with the refusal.
 */
export function checkAsked(method: string, fields: Headers): Fault | undefined {
  if (method === 'CONNECT') return NO_TUNNEL;
  if (!isKnownVerb(method)) return UNKNOWN_VERB;
  return headerValue(fields, 'expect') === undefined ? undefined : UNKNOWN_EXPECTATION;
}

/** The reason to refuse a request, from its authority and its fields, or undefined. */
export function guard(authority: string | undefined, fields: Headers, rules: GuardRules): Fault | undefined {
  return checkHost(authority, rules.allowedHosts) ?? checkOrigin(fields, rules.allowedOrigins);
}

/** Asked of every request but the health probes, which tell nothing and must work for whoever probes. */
export function checkToken(fields: Headers, apiToken: string | undefined): Fault | undefined {
  if (apiToken === undefined) return undefined;
  const given = headerValue(fields, 'dapr-api-token');
  if (given !== undefined && isSameSecret(given, apiToken)) return undefined;
  const what = given === undefined ? 'is missing' : 'is not the one this sidecar was given';
  return fault('token-invalid', `the header dapr-api-token ${what}; send the value of DAPR_API_TOKEN`);
}

/** HTTP/1.0 may name none. */
function checkHost(authority: string | undefined, allowed: readonly string[]): Fault | undefined {
  if (authority === undefined || namesThisMachine(authority) || isAllowedHost(authority, allowed)) return undefined;
  return fault(
    'origin-refused',
    `the request names the host ${JSON.stringify(authority.slice(0, 80))}, which is not this machine; call localhost, or start the sidecar with --allowed-hosts`,
  );
}

/**
 * Authorities that name this machine whatever the rules allow, as they came: clients say the same one with each request.
 * Few, for there are only so many ports and addresses to reach a sidecar by; what is forgotten is looked at again.
 */
const ownAuthorities = new Set<string>();
const OWN_AUTHORITIES_MAX = 100;
const AUTHORITY_LENGTH_MAX = 64;

/**
 * The unspecified address, and IPv4 written as IPv6. They lead to loopback, too, and to browsers they are not loopback: a page
 * that asks for one (`<img src="http://0.0.0.0:3500/…">`) is not given away by Sec-Fetch-Site, nor, with GET, by Origin.
 */
const NO_ADDRESS_OF_ITS_OWN = /^(0\.0\.0\.0|[0:]+|[0:]*:ffff:.*)$/;

function namesThisMachine(authority: string): boolean {
  if (ownAuthorities.has(authority)) return true;
  const name = hostName(authority);
  if (name !== 'localhost' && (isIP(name) === 0 || NO_ADDRESS_OF_ITS_OWN.test(name))) return false;
  if (authority.length > AUTHORITY_LENGTH_MAX) return true;
  if (ownAuthorities.size === OWN_AUTHORITIES_MAX) ownAuthorities.clear();
  // A copy: a piece cut out of a request would keep the whole of its head in memory.
  ownAuthorities.add(Buffer.from(authority).toString());
  return true;
}

function isAllowedHost(authority: string, allowed: readonly string[]): boolean {
  return allowed.length > 0 && (allowed.includes(hostName(authority)) || allowed.includes('*'));
}

function checkOrigin(fields: Headers, allowed: readonly string[]): Fault | undefined {
  // What is no browser says neither of the two, and is not looked at any further.
  if (headerValue(fields, 'origin') === undefined && headerValue(fields, 'sec-fetch-site') === undefined)
    return undefined;
  if (allowed.includes('*')) return undefined;
  const origins = headerValues(fields, 'origin');
  const isAllowed = origins.length > 0 && origins.every((origin) => allowed.includes(origin));
  if (isAllowed) return undefined;
  // Ports do not tell sites apart: `same-site` is any page that any server of this machine shows.
  const isForeign = headerValues(fields, 'sec-fetch-site').some((site) => /^(cross|same)-site$/i.test(site));
  if (origins.length === 0 && !isForeign) return undefined;
  const from = origins[0] === undefined ? 'another origin' : JSON.stringify(origins[0].slice(0, 80));
  return fault(
    'origin-refused',
    `a web page of ${from} may not use this app's identity; allow its origin with --allowed-origins if it should`,
  );
}

function hostName(authority: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(authority);
  return (bracketed?.[1] ?? authority.replace(/:\d*$/, '')).toLowerCase();
}

/** Compared by digest, so that neither the time nor the length tells how much was right. */
function isSameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text, 'latin1').digest();
  return timingSafeEqual(digest(a), digest(b));
}
