// Entries of a list of outside hosts that may be called: `api.example.com`, `*.example.com:8443`, `10.0.0.7:8080`, `*`.
//
// Without a port, an entry is about the scheme's own (80, 443). A name may lead to any address but one of this machine, of
// its link or of a cloud's metadata service: such an address has to be in the list itself, so that whoever rules over a name
// cannot lead a caller there. `localhost` stands for the loopback addresses.
import { isIP } from 'node:net';
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';
import { type Origin, ownPort, parsePlace } from './origin.ts';

export interface ExternalPattern {
  /** `any`: every public host; `below`: names that end with a dot and this one; `host`: this one. */
  readonly kind: 'any' | 'below' | 'host';
  /** In its one spelling; empty for `any`. */
  readonly host: string;
  readonly port: number | undefined;
}

export function parseExternalPattern(text: string): Result<ExternalPattern> {
  if (text.includes('/')) return err(`"${excerpt(text)}" is more than a host; write host or host:port alone`);
  const [any, anyPort] = /^\*(?::(\d{1,5}))?$/.exec(text) ?? [];
  const rest = text.startsWith('*.') ? text.slice(2) : text;
  const place = parsePlace(any === undefined ? rest : `any${anyPort === undefined ? '' : `:${anyPort}`}`);
  if (!place.ok) return place;
  const { host, port } = place.value;
  if (any !== undefined) return ok({ kind: 'any', host: '', port });
  if (rest !== text && (isIP(host) !== 0 || !host.includes('.'))) {
    return err(
      `"${excerpt(text)}" is too wide; write names below a domain, such as *.example.com, or * for every public host`,
    );
  }
  return ok({ kind: rest === text ? 'host' : 'below', host, port });
}

/** Whether the entry is about this origin, by its name. */
export function isMatch(pattern: ExternalPattern, { scheme, host, port }: Origin): boolean {
  if (port !== (pattern.port ?? ownPort(scheme))) return false;
  if (pattern.kind === 'any') return true;
  return pattern.kind === 'host' ? host === pattern.host : isIP(host) === 0 && host.endsWith(`.${pattern.host}`);
}
