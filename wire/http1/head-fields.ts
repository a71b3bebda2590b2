// What the fields of a head mean to HTTP/1.1 itself (RFC 9112, sections 6, 7 and 9): how long the body is, whether the
// connection lives on, what is asked of it. The rest is passed on as it came.
import { type Broken, malformed } from './broken.ts';
import { parseDecimal } from './bytes.ts';
import type { FieldTaker } from './field-lines.ts';
import { Known, type Name } from './names.ts';

/** One for a connection, used for one head after the other. */
export class HeadFields implements FieldTaker {
  readonly #isRequest: boolean;
  /** What is passed on. */
  fields: string[] = [];
  count = 0;
  hosts = 0;
  host: string | undefined;
  upgrade: string | undefined;
  keepAlive: string | undefined;
  http2Settings: string | undefined;
  expectsContinue = false;
  #contentLengths = 0;
  #contentLength: number | undefined;
  #codings = 0;
  #coding = '';
  #connection: string | undefined;

  constructor(isRequest: boolean) {
    this.#isRequest = isRequest;
  }

  /** Lets go of this head, and makes ready for the next. */
  clear(): void {
    this.fields = [];
    this.count = 0;
    this.hosts = 0;
    this.host = undefined;
    this.upgrade = undefined;
    this.keepAlive = undefined;
    this.http2Settings = undefined;
    this.expectsContinue = false;
    this.#contentLengths = 0;
    this.#contentLength = undefined;
    this.#codings = 0;
    this.#coding = '';
    this.#connection = undefined;
  }

  field(name: Name, value: string): void {
    this.count++;
    if (name.known !== Known.OTHER && this.#isOurs(name.known, value)) return;
    this.fields.push(name.text, value);
  }

  get isChunked(): boolean {
    return this.#codings > 0;
  }

  get contentLength(): number | undefined {
    return this.#contentLength;
  }

  /** What leaves open where the body ends (RFC 9112, 6.3). */
  framingFlaw(minorVersion: number): Broken | undefined {
    if (this.#codings > 0) return this.#codingFlaw(minorVersion);
    if (this.#contentLengths === 0) return undefined;
    if (this.#contentLengths > 1) return malformed('content-length-twice');
    return this.#contentLength === undefined ? malformed('content-length') : undefined;
  }

  /** Close, keep-alive and upgrade; and takes out the fields that are meant for this connection alone. */
  connectionOptions(): ConnectionOptions {
    if (this.#connection === undefined) return NO_OPTIONS;
    const usual = USUAL_OPTIONS.get(this.#connection);
    if (usual !== undefined) return usual;
    const options = this.#connection
      .toLowerCase()
      .split(',')
      .map((option) => option.trim());
    const named = options.filter((option) => !OPTIONS.has(option));
    if (named.length > 0) this.#drop(new Set(named));
    return {
      close: options.includes('close'),
      keepAlive: options.includes('keep-alive'),
      upgrade: options.includes('upgrade'),
    };
  }

  #codingFlaw(minorVersion: number): Broken | undefined {
    if (minorVersion === 0) return malformed('transfer-encoding-in-http-1.0');
    if (this.#contentLengths > 0) return malformed('content-length-and-transfer-encoding');
    if (this.#codings > 1) return malformed('transfer-encoding-twice');
    const coding = this.#coding.toLowerCase();
    if (coding === 'chunked') return undefined;
    return /,[ \t]*chunked$/.test(coding) ? malformed('transfer-coding', 501) : malformed('transfer-encoding');
  }

  /** Whether the field has been acted on and goes no further. */
  #isOurs(known: Known, value: string): boolean {
    switch (known) {
      case Known.HOST:
        this.hosts++;
        this.host = value;
        return false;
      case Known.CONTENT_LENGTH:
        this.#contentLengths++;
        this.#contentLength = parseDecimal(value);
        return false;
      case Known.TRANSFER_ENCODING:
        this.#codings++;
        this.#coding = value;
        return true;
      case Known.CONNECTION:
        this.#connection = listed(this.#connection, value);
        return true;
      case Known.UPGRADE:
        this.upgrade = listed(this.upgrade, value);
        // In a response it names what to switch to, which only the receiver can judge.
        return this.#isRequest;
      case Known.EXPECT:
        if (value.toLowerCase() !== '100-continue') return false;
        this.expectsContinue = true;
        return true;
      case Known.KEEP_ALIVE:
        this.keepAlive = value;
        return true;
      case Known.PROXY_CONNECTION:
        return true;
      case Known.HTTP2_SETTINGS:
        this.http2Settings = listed(this.http2Settings, value);
        return true;
      default:
        return false;
    }
  }

  #drop(names: ReadonlySet<string>): void {
    const { fields } = this;
    this.fields = [];
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i] ?? '';
      if (!names.has(name)) this.fields.push(name, fields[i + 1] ?? '');
    }
  }
}

export interface ConnectionOptions {
  readonly close: boolean;
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
}

const NO_OPTIONS: ConnectionOptions = { close: false, keepAlive: false, upgrade: false };
/** What most of those say who say anything. */
const USUAL_OPTIONS = new Map<string, ConnectionOptions>([
  ['close', { ...NO_OPTIONS, close: true }],
  ['keep-alive', { ...NO_OPTIONS, keepAlive: true }],
  ['Keep-Alive', { ...NO_OPTIONS, keepAlive: true }],
]);
/** Options that name no field, or a field that is acted on here anyway. */
const OPTIONS = new Set(['', 'close', 'keep-alive', 'upgrade']);

function listed(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}
