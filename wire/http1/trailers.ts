// The fields behind a chunked body (RFC 9112, 7.1.2).
import type { Fields } from '../message.ts';
import { type Broken, exceeded, malformed } from './broken.ts';
import { type FieldTaker, readFieldLines } from './field-lines.ts';
import { knownName, type Name } from './names.ts';

/**
 * What may not come behind a body (RFC 9110, 6.5.1): it would change framing, routing, or who may do what, after all that
 * has been decided, for any reader that adds trailers to the head.
 */
const FORBIDDEN = new Set([
  ...[
    'authorization',
    'cache-control',
    'content-encoding',
    'content-length',
    'content-range',
    'content-type',
    'cookie',
  ],
  ...['expect', 'host', 'max-forwards', 'pragma', 'proxy-authenticate', 'proxy-authorization', 'range', 'set-cookie'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'www-authenticate'],
]);

export function isForbiddenInTrailers(name: string): boolean {
  return FORBIDDEN.has(name) || knownName(name) !== 0;
}

/** Reads trailers with the empty line behind them. */
export function parseTrailers(text: string, fieldsMax: number): Fields | Broken {
  const taker = new TrailerFields();
  const flaw = readFieldLines(text, 0, text.length - 2, taker) ?? (taker.isForbidden ? 'forbidden-trailer' : undefined);
  if (flaw !== undefined) return malformed(flaw);
  return taker.fields.length / 2 > fieldsMax ? exceeded('trailer-fields') : taker.fields;
}

class TrailerFields implements FieldTaker {
  readonly fields: string[] = [];
  isForbidden = false;

  field(name: Name, value: string): void {
    this.isForbidden ||= isForbiddenInTrailers(name.text);
    this.fields.push(name.text, value);
  }
}
