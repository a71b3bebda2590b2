// The head of a response: status line (RFC 9112, section 4), fields, and what they mean together.
import type { ResponseHead } from '../message.ts';
import { type Broken, exceeded, malformed } from './broken.ts';
import { isValueByte, parseDecimal, SPACE } from './bytes.ts';
import { flawOfLineEnd } from './field-lines.ts';
import { SectionReader } from './field-section.ts';
import type { HeadFields } from './head-fields.ts';
import { readVersion } from './version.ts';

/** One for a connection: it reads one head after the other. */
export class ResponseHeadReader {
  readonly #fieldsMax: number;
  readonly #sections = new SectionReader(false);

  /** Of the head that was read last: whether the server would take another request on this connection. */
  isKept = true;
  isChunked = false;
  /** What the server said in Keep-Alive, of how long it keeps an idle connection. */
  keepAliveTimeoutMs: number | undefined;

  constructor(fieldsMax: number) {
    this.#fieldsMax = fieldsMax;
  }

  /** Reads a head with its empty line, one character per byte. */
  read(text: string): ResponseHead | Broken {
    const head = this.#read(text);
    this.#sections.clear();
    return head;
  }

  #read(text: string): ResponseHead | Broken {
    const minorVersion = readVersion(text, 0);
    if (typeof minorVersion !== 'number') return minorVersion;
    const statusAt = 'HTTP/1.1 '.length;
    const status = parseDecimal(text.slice(statusAt, statusAt + 3)) ?? 0;
    if (text.charCodeAt(statusAt - 1) !== SPACE || status < 100 || status > 599) return malformed('status');
    // Many servers leave out the reason, and the blank before it.
    let lineEnd = statusAt + 3;
    if (text.charCodeAt(lineEnd) === SPACE) while (isValueByte(text.charCodeAt(lineEnd))) lineEnd++;
    if (flawOfLineEnd(text, lineEnd, text.length) !== undefined) return malformed('status-line');
    const fields = this.#sections.read(text, lineEnd + 2);
    return typeof fields === 'string' ? malformed(fields) : this.#understand(status, minorVersion, fields);
  }

  #understand(status: number, minorVersion: number, fields: HeadFields): ResponseHead | Broken {
    const framing = fields.framingFlaw(minorVersion);
    if (framing !== undefined) return framing;
    if (fields.count > this.#fieldsMax) return exceeded('head-fields');
    const options = fields.connectionOptions();
    this.isKept = !options.close && (minorVersion === 1 || options.keepAlive);
    this.isChunked = fields.isChunked;
    this.keepAliveTimeoutMs = keepAliveTimeoutMs(fields.keepAlive);
    return { status, fields: fields.fields, bodyBytes: fields.isChunked ? undefined : fields.contentLength };
  }
}

function keepAliveTimeoutMs(keepAlive: string | undefined): number | undefined {
  const seconds = keepAlive === undefined ? undefined : /(?:^|[,; ])timeout=(\d{1,6})/i.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
