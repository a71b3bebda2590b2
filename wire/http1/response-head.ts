// The head of a response: status line (RFC 9112, section 4), fields, and what they mean together.
import type { ResponseHead } from '../message.ts';
import { type Broken, exceeded, malformed } from './broken.ts';
import { isValueByte, parseDecimal, SPACE } from './bytes.ts';
import { flawOfLineEnd, readFieldLines } from './field-lines.ts';
import { HeadFields } from './head-fields.ts';
import { readVersion } from './version.ts';

export interface ParsedResponse {
  readonly head: ResponseHead;
  /** Whether the server would take another request on this connection. */
  readonly isKept: boolean;
  readonly isChunked: boolean;
  /** What the server said in Keep-Alive, of how long it keeps an idle connection. */
  readonly keepAliveTimeoutMs: number | undefined;
}

/** Reads a head with its empty line, one character per byte. */
export function parseResponseHead(text: string, fieldsMax: number): ParsedResponse | Broken {
  const minorVersion = readVersion(text, 0);
  if (typeof minorVersion !== 'number') return minorVersion;
  const statusAt = 'HTTP/1.1 '.length;
  const status = parseDecimal(text.slice(statusAt, statusAt + 3)) ?? 0;
  if (text.charCodeAt(statusAt - 1) !== SPACE || status < 100 || status > 599) return malformed('status');
  // Many servers leave out the reason, and the blank before it.
  let lineEnd = statusAt + 3;
  if (text.charCodeAt(lineEnd) === SPACE) while (isValueByte(text.charCodeAt(lineEnd))) lineEnd++;
  if (flawOfLineEnd(text, lineEnd, text.length) !== undefined) return malformed('status-line');
  const fields = new HeadFields(false);
  const flaw = readFieldLines(text, lineEnd + 2, text.length - 2, fields);
  if (flaw !== undefined) return malformed(flaw);
  const framing = fields.framingFlaw(minorVersion);
  if (framing !== undefined) return framing;
  if (fields.count > fieldsMax) return exceeded('head-fields');
  const options = fields.connectionOptions();
  return {
    head: { status, fields: fields.fields, bodyBytes: fields.isChunked ? undefined : fields.contentLength },
    isKept: !options.close && (minorVersion === 1 || options.keepAlive),
    isChunked: fields.isChunked,
    keepAliveTimeoutMs: keepAliveTimeoutMs(fields.keepAlive),
  };
}

function keepAliveTimeoutMs(keepAlive: string | undefined): number | undefined {
  const seconds = keepAlive === undefined ? undefined : /(?:^|[,; ])timeout=(\d{1,6})/i.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
