// The grammar of flag values that are our own; the others are in kit/values.ts. Each function reads one kind, or says in a
// sentence what is accepted.
import { isIP } from 'node:net';
import { type Namespace, parseTarget } from '../api/ids.ts';
import { parseDuration } from '../kit/quantity.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { parseHostPort, parseList } from '../kit/values.ts';
import type { StaticPeer } from '../sidecar/config.ts';

/** How `invokectl list` may answer. */
export const LIST_FORMATS = ['table', 'json', 'yaml'] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** How `invokectl explain` may answer. */
export const EXPLAIN_FORMATS = ['text', 'json'] as const;
export type ExplainFormat = (typeof EXPLAIN_FORMATS)[number];

/** How `invokectl check` and `invokectl policy audit` may answer. */
export const CHECK_FORMATS = ['table', 'json'] as const;
export type CheckFormat = (typeof CHECK_FORMATS)[number];

/** An IP literal, brackets allowed; `localhost` is 127.0.0.1. */
export function parseListenAddress(text: string): Result<string> {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  if (bare === 'localhost') return ok('127.0.0.1');
  return isIP(bare) === 0 ? err(`"${text}" is not an IP address; write such as 127.0.0.1 or ::1`) : ok(bare);
}

/** A duration that lasts. */
export function parseTtl(text: string): Result<number> {
  const durationMs = parseDuration(text);
  if (!durationMs.ok || durationMs.value > 0) return durationMs;
  return err(`"${text}" is no time at all; write such as 24h`);
}

/** `app[.namespace]=host:port[,host:port]`. */
export function parsePeer(text: string, ownNamespace: Namespace): Result<StaticPeer> {
  const [name = '', addressList = '', ...rest] = text.split('=');
  if (rest.length > 0 || addressList === '') {
    return err(`"${text}" is not a peer; write app=host:port or app.namespace=host:port,host:port`);
  }
  const target = parseTarget(name, ownNamespace);
  if (!target.ok) return target;
  const addresses = parseList(parseHostPort)(addressList);
  return addresses.ok ? ok({ target: target.value, addresses: addresses.value }) : addresses;
}
