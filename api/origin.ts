// Where an outside service is: scheme, host and port out of a URL.
//
// A host has one spelling here, made by the rules below. Every other way to write an address (`0x7f.1`, `2130706433`,
// `127.1`, a zone, percent signs) is refused rather than understood, since a second reader might understand it otherwise.
import { isIPv4, isIPv6 } from 'node:net';
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';
import { parsePort } from '../kit/values.ts';

export type Scheme = 'http' | 'https';

/** Where an outside service is. */
export interface Origin {
  readonly scheme: Scheme;
  /** A name in lower case without a dot at its end, or an IP literal; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** `host` or `host:port`, as a Host header and a URL have it: without a port that is the scheme's own. */
  readonly authority: string;
}

export function originText({ scheme, authority }: Origin): string {
  return `${scheme}://${authority}`;
}

const URL_LENGTH_MAX = 300;
const ORIGIN = /^(https?):\/\/([^/?#]*)\/?$/i;

/** `http(s)://host[:port]`, with a slash at the end or without. */
export function parseExternalOrigin(text: string): Result<Origin> {
  const match = text.length <= URL_LENGTH_MAX ? ORIGIN.exec(text) : null;
  if (match === null) return err(`"${excerpt(text)}" is no target; write https://host or https://host:port`);
  const scheme: Scheme = match[1]?.toLowerCase() === 'https' ? 'https' : 'http';
  const place = parsePlace(match[2] ?? '');
  return place.ok ? ok(originOf(scheme, place.value.host, place.value.port)) : place;
}

export function originOf(scheme: Scheme, host: string, port = ownPort(scheme)): Origin {
  const written = isIPv6(host) ? `[${host}]` : host;
  return { scheme, host, port, authority: port === ownPort(scheme) ? written : `${written}:${port}` };
}

export function ownPort(scheme: Scheme): number {
  return scheme === 'https' ? 443 : 80;
}

export interface Place {
  readonly host: string;
  /** Undefined where none was written. */
  readonly port: number | undefined;
}

const PLACE = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s;

/** `host`, `host:port`, `[::1]:port`. */
export function parsePlace(text: string): Result<Place> {
  if (text.includes('@')) return err(`"${excerpt(text)}" names a user before the host; send credentials in a header`);
  const match = PLACE.exec(text);
  if (match === null)
    return err(`"${excerpt(text)}" is no host; an IPv6 address stands in brackets, such as [2001:db8::1]`);
  const host = match[1] === undefined ? parseHost(match[2] ?? '') : parseBracketed(match[1]);
  if (!host.ok) return host;
  if (match[3] === undefined) return ok({ host: host.value, port: undefined });
  const port = parsePort(match[3]);
  return port.ok ? ok({ host: host.value, port: port.value }) : err(`"${excerpt(text)}": ${port.error}`);
}

function parseBracketed(text: string): Result<string> {
  if (isIPv6(text) && !text.includes('%')) return ok(text.toLowerCase());
  return err(`"[${excerpt(text)}]" is no IPv6 address`);
}

const LABEL = /^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?$/;
/** What some readers take for a number, and the whole for an IPv4 address in it (WHATWG URL, "ends in a number"). */
const NUMBER = /^([0-9]+|0x[0-9a-f]*)$/;
const HOST_LENGTH_MAX = 253;

/** A name or an IPv4 address in its one spelling. */
function parseHost(text: string): Result<string> {
  const host = text.toLowerCase().replace(/\.$/, '');
  if (isIPv4(host) && host === text) return ok(host);
  const labels = host.split('.');
  if (NUMBER.test(labels.at(-1) ?? '')) {
    return err(`"${excerpt(text)}" is no IPv4 address in its usual form; write four numbers, such as 10.0.0.7`);
  }
  if (host.length <= HOST_LENGTH_MAX && labels.every((label) => LABEL.test(label))) return ok(host);
  return err(
    `"${excerpt(text)}" is no host name; write letters, digits, dashes and dots, such as api.example.com (in Punycode, if it has others)`,
  );
}
