// Who may speak to the app API at all: the checks that come before anybody looks at what is asked.
//
// The API listens on loopback, where every web page that the developer has open can reach it too. A page betrays itself
// by Origin or Sec-Fetch-Site, and a page that plays with DNS (rebinding) by a Host that is no name of this machine.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { type Fault, fault } from '../../api/fault.ts';
import { FIELDS_MAX, headerValue, headerValues } from '../../api/headers.ts';

export interface GuardRules {
  readonly apiToken: string | undefined;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
}

/** What RFC 9112 forbids in a head (3.2, 6.1) and the parser lets pass. */
export function checkHead(rawHeaders: readonly string[], httpVersion: string): Fault | undefined {
  const hosts = headerValues(rawHeaders, 'host').length;
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) {
    return fault('bad-request', `the request has ${hosts === 0 ? 'no' : 'more than one'} Host header; send one.`);
  }
  const codings = headerValues(rawHeaders, 'transfer-encoding').flatMap((value) => value.toLowerCase().split(','));
  if (codings.length === 0) return undefined;
  if (httpVersion !== '1.1') return fault('bad-request', `HTTP/${httpVersion} knows no Transfer-Encoding.`);
  if (codings.at(-1)?.trim() !== 'chunked')
    return fault('bad-request', 'the last Transfer-Encoding is not chunked, so nobody can tell where the body ends.');
  if (codings.length === 1) return undefined;
  return fault('unimplemented', 'the only Transfer-Encoding that this sidecar takes is chunked, said once.');
}

/** The reason to refuse a request, from its raw headers and its target, or undefined. */
export function guard(rawHeaders: readonly string[], target: string, rules: GuardRules): Fault | undefined {
  if (rawHeaders.length / 2 > FIELDS_MAX) {
    return fault('headers-too-large', `the request has more than ${FIELDS_MAX} header fields`);
  }
  return checkHost(rawHeaders, target, rules.allowedHosts) ?? checkOrigin(rawHeaders, rules.allowedOrigins);
}

/** Asked of every request but the health probes, which tell nothing and must work for whoever probes. */
export function checkToken(rawHeaders: readonly string[], apiToken: string | undefined): Fault | undefined {
  if (apiToken === undefined) return undefined;
  const given = headerValue(rawHeaders, 'dapr-api-token');
  if (given !== undefined && isSameSecret(given, apiToken)) return undefined;
  const what = given === undefined ? 'is missing' : 'is not the one this sidecar was given';
  return fault('token-invalid', `the header dapr-api-token ${what}; send the value of DAPR_API_TOKEN`);
}

function checkHost(rawHeaders: readonly string[], target: string, allowed: readonly string[]): Fault | undefined {
  const names = [...headerValues(rawHeaders, 'host'), authorityOf(target)].filter((name) => name !== undefined);
  const stranger = names.find((name) => !isOwnHost(hostName(name), allowed));
  if (stranger === undefined) return undefined;
  return fault(
    'origin-refused',
    `the request names the host ${JSON.stringify(stranger.slice(0, 80))}, which is not this machine; call localhost, or start the sidecar with --allowed-hosts`,
  );
}

function isOwnHost(name: string, allowed: readonly string[]): boolean {
  return name === 'localhost' || isIP(name) !== 0 || allowed.includes(name) || allowed.includes('*');
}

function checkOrigin(rawHeaders: readonly string[], allowed: readonly string[]): Fault | undefined {
  if (allowed.includes('*')) return undefined;
  const origins = headerValues(rawHeaders, 'origin');
  const isAllowed = origins.length > 0 && origins.every((origin) => allowed.includes(origin));
  if (isAllowed) return undefined;
  // Ports do not tell sites apart: `same-site` is any page that any server of this machine shows.
  const isForeign = headerValues(rawHeaders, 'sec-fetch-site').some((site) => /^(cross|same)-site$/i.test(site));
  if (origins.length === 0 && !isForeign) return undefined;
  const from = origins[0] === undefined ? 'another origin' : JSON.stringify(origins[0].slice(0, 80));
  return fault(
    'origin-refused',
    `a web page of ${from} may not use this app's identity; allow its origin with --allowed-origins if it should`,
  );
}

/** `http://host/path`, as a program sends it that takes the sidecar for a proxy. */
function authorityOf(target: string): string | undefined {
  return /^[a-z]+:\/\/([^/?#]*)/i.exec(target)?.[1];
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
