// The grammar of values that people write in flags, in annotations and in the environment: each function reads one kind, or
// says in a sentence what is accepted.
import { isIP } from 'node:net';
import { parseSize } from './quantity.ts';
import { err, ok, type Result } from './result.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export function parseWhole(min: number, max: number, what: string): (text: string) => Result<number> {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,9}$/.test(text) && value >= min && value <= max) return ok(value);
    return err(`"${text}" is not ${what}; give a whole number from ${min} to ${max}`);
  };
}

/** A port to reach somebody at. */
export function parsePort(text: string): Result<number> {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return ok(port);
  return err(`"${text}" is not a port; give a number from 1 to 65535`);
}

/** A port to listen on; 0 is any free one. */
export function parseListenPort(text: string): Result<number> {
  if (text === '0') return ok(0);
  const port = parsePort(text);
  return port.ok ? port : err(`"${text}" is not a port; give a number from 1 to 65535, or 0 for any free one`);
}

/** `host:port`, `1.2.3.4:port` or `[::1]:port`. */
export function parseHostPort(text: string): Result<HostPort> {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  const port = parsePort(match?.[3] ?? '');
  const bracketed = match?.[1];
  const host = bracketed ?? match?.[2];
  if (!port.ok || host === undefined || (bracketed !== undefined && isIP(bracketed) !== 6)) {
    return err(`"${text}" is not an address; write host:port, such as 10.0.0.7:50002 or [::1]:50002`);
  }
  return ok({ host, port: port.value });
}

/** A comma-separated list, each item read by `parse`. */
export function parseList<T>(parse: (item: string) => Result<T>): (text: string) => Result<readonly T[]> {
  return (text) => {
    const values: T[] = [];
    for (const item of text.split(',').map((part) => part.trim())) {
      const value = parse(item);
      if (!value.ok) return value;
      values.push(value.value);
    }
    return ok(values);
  };
}

/** As browsers send it: scheme, host and port, no path. */
export function parseOrigin(text: string): Result<string> {
  if (text === '*' || /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.test(text)) return ok(text);
  return err(`"${text}" is not an origin; write scheme and host, such as http://localhost:8080, or *`);
}

export function parseHostName(text: string): Result<string> {
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/i.test(text)) return ok(text.toLowerCase());
  return err(`"${text}" is not a host name; write a name without port, such as my-laptop.local`);
}

/** The name of a Kubernetes object, as most kinds have it (RFC 1123 subdomain). */
export function parseObjectName(text: string): Result<string> {
  if (text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)) {
    return ok(text);
  }
  return err(`"${text}" is not the name of an object; write lower-case letters, digits, dashes and dots`);
}

export function parseOneOf<const T extends string>(choices: readonly T[]): (text: string) => Result<T> {
  return (text) => {
    const choice = choices.find((known) => known === text);
    return choice === undefined ? err(`"${text}" is none of ${choices.join(', ')}`) : ok(choice);
  };
}

/** Infinity for -1 and for 0, which is how Dapr says that there is no limit. */
export function parseBodyMax(text: string): Result<number> {
  if (text === '-1') return ok(Number.POSITIVE_INFINITY);
  const bytes = parseSize(text);
  return bytes.ok && bytes.value === 0 ? ok(Number.POSITIVE_INFINITY) : bytes;
}
