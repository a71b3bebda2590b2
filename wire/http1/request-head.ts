// The head of a request: request line (RFC 9112, section 3), fields, and what they mean together.
import type { RequestHead } from '../message.ts';
import { type Broken, exceeded, isBroken, malformed } from './broken.ts';
import { isAuthority, isTargetByte, isTokenByte, SPACE } from './bytes.ts';
import { flawOfLineEnd } from './field-lines.ts';
import { SectionReader } from './field-section.ts';
import type { HeadFields } from './head-fields.ts';
import { readVersion } from './version.ts';

/** One for a connection: it reads one head after the other. */
export class RequestHeadReader {
  readonly #fieldsMax: number;
  readonly #sections = new SectionReader(true);

  /** Of the head that was read last. */
  minorVersion = 1;
  /** Whether the client would send another request on this connection. */
  isKept = true;

  constructor(fieldsMax: number) {
    this.#fieldsMax = fieldsMax;
  }

  /** Reads a head with its empty line, one character per byte. */
  read(text: string): RequestHead | Broken {
    const head = this.#read(text);
    this.#sections.clear();
    return head;
  }

  #read(text: string): RequestHead | Broken {
    const methodEnd = endOfMethod(text);
    if (methodEnd < 0) return malformed('method');
    const targetEnd = endOfTarget(text, methodEnd + 1);
    if (targetEnd < 0) return malformed('target');
    const minorVersion = readVersion(text, targetEnd + 1);
    if (typeof minorVersion !== 'number') return minorVersion;
    const lineEnd = targetEnd + 1 + 'HTTP/1.1'.length;
    if (flawOfLineEnd(text, lineEnd, text.length) !== undefined) return malformed('request-line');
    const fields = this.#sections.read(text, lineEnd + 2);
    if (typeof fields === 'string') return malformed(fields);
    this.minorVersion = minorVersion;
    const head = this.#understand(text.slice(0, methodEnd), text.slice(methodEnd + 1, targetEnd), fields);
    // Counted last: in which pieces a head comes must not decide what is said against it.
    return !isBroken(head) && fields.count > this.#fieldsMax ? exceeded('head-fields') : head;
  }

  #understand(method: string, target: string, fields: HeadFields): RequestHead | Broken {
    const { minorVersion } = this;
    const flaw = fields.framingFlaw(minorVersion) ?? hostFlaw(minorVersion, fields);
    if (flaw !== undefined) return flaw;
    const isPath = target.charCodeAt(0) === SLASH && method !== 'CONNECT';
    const authority = isPath ? fields.host : authorityOf(method, target, fields.host);
    if (typeof authority === 'object') return authority;
    const bodyBytes = fields.isChunked ? undefined : (fields.contentLength ?? 0);
    if (method === 'CONNECT' && bodyBytes !== 0) return malformed('connect-with-body');
    const options = fields.connectionOptions();
    this.isKept = !options.close && (minorVersion === 1 || options.keepAlive);
    return {
      method,
      target,
      authority,
      scheme: undefined,
      fields: fields.fields,
      bodyBytes,
      // One that comes with a body is passed over, which a server may: nobody could say where the new protocol begins.
      upgrade: options.upgrade && minorVersion === 1 && bodyBytes === 0 ? fields.upgrade : undefined,
      expectsContinue: fields.expectsContinue && minorVersion === 1 && bodyBytes !== 0,
      http2Settings: fields.http2Settings,
    };
  }
}

/**
 * What is wrong with a request line, before anything behind it has come: who speaks another protocol, line by line, is not
 * kept waiting for an empty line that it never sends.
 */
export function flawOfRequestLine(line: string): Broken | undefined {
  const methodEnd = endOfMethod(line);
  if (methodEnd < 0) return malformed('method');
  const targetEnd = endOfTarget(line, methodEnd + 1);
  if (targetEnd < 0) return malformed('target');
  const minorVersion = readVersion(line, targetEnd + 1);
  return typeof minorVersion === 'number' ? undefined : minorVersion;
}

/** Where the blank behind the method is, or -1. */
function endOfMethod(text: string): number {
  let end = 0;
  while (isTokenByte(text.charCodeAt(end))) end++;
  return end > 0 && text.charCodeAt(end) === SPACE ? end : -1;
}

/** Where the blank behind the target is, or -1. */
function endOfTarget(text: string, start: number): number {
  let end = start;
  while (isTargetByte(text.charCodeAt(end))) end++;
  return end > start && text.charCodeAt(end) === SPACE ? end : -1;
}

const SLASH = 0x2f;
/** Node's parser knows letters alone in a scheme, and no scheme in use for this has anything else. */
const ABSOLUTE = /^[a-z]+:\/\/([^/?]+)/i;
const WITH_PORT = /^[^:[\]]+:\d{1,5}$|^\[[^[\]]+\]:\d{1,5}$/;

function hostFlaw(minorVersion: number, { hosts, host }: HeadFields): Broken | undefined {
  if (hosts > 1) return malformed('host-twice');
  if (host === undefined) return minorVersion === 0 ? undefined : malformed('host-missing');
  return isAuthority(host) ? undefined : malformed('host');
}

/** Of a target that is no path (RFC 9112, 3.2.2 to 3.2.4). One that Host contradicts would be read in two ways. */
function authorityOf(method: string, target: string, host: string | undefined): string | undefined | Broken {
  if (target === '*' && method === 'OPTIONS') return host;
  const isConnect = method === 'CONNECT';
  const authority = isConnect ? WITH_PORT.exec(target)?.[0] : ABSOLUTE.exec(target)?.[1];
  if (authority === undefined || !isAuthority(authority)) return malformed('target-form');
  if (host === undefined || host.toLowerCase() === authority.toLowerCase()) return authority;
  return malformed(isConnect ? 'connect-host' : 'host-is-not-the-target');
}
