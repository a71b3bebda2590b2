// The numbers of HTTP/2 (RFC 9113): frame types, flags, error codes, sizes; and how a broken rule is said.
import type { WireFailure } from '../message.ts';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const FRAME_HEAD_BYTES = 9;
/** The most that a frame carries: what every peer takes unasked, and how finely streams are interleaved. */
export const PAYLOAD_BYTES_MAX = 16_384;
export const STREAM_ID_MAX = 2 ** 31 - 1;
export const WINDOW_BYTES_MAX = 2 ** 31 - 1;
/** A window before any SETTINGS, and that of the connection always. */
export const WINDOW_BYTES_INITIAL = 65_535;

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = { END_STREAM: 0x1, ACK: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

/** Inlined where it is called, which `readUInt8` and its kin are not: they check their arguments first. */
export function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/** Of 32 bits the first is reserved, and ignored. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) & 0x7fff_ffff;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  const high = (byteAt(bytes, at) << 24) | (byteAt(bytes, at + 1) << 16);
  return (high | (byteAt(bytes, at + 2) << 8) | byteAt(bytes, at + 3)) >>> 0;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

const ERROR_NAMES = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

export function errorName(code: number): string {
  return ERROR_NAMES.get(code) ?? `error ${code}`;
}

/** What the far side did wrong: the code that it is told, and the same for our side. */
export interface Fault {
  readonly code: number;
  readonly failure: WireFailure;
}

export function malformed(reason: string, code: number = ErrorCode.PROTOCOL_ERROR): Fault {
  return { code, failure: { kind: 'malformed', reason } };
}

/** A bound of ours was passed; `label` names it in the counters. */
export function exceeded(label: string, code: number = ErrorCode.ENHANCE_YOUR_CALM): Fault {
  return { code, failure: { kind: 'limit', reason: label } };
}

/** The far side gave a stream up. */
export function resetBy(code: number): WireFailure {
  const kind = code === ErrorCode.REFUSED_STREAM ? 'refused' : 'reset';
  return { kind, reason: `RST_STREAM with ${errorName(code)}` };
}

/** The code under which a message of ours is given up. */
export function codeOf({ kind }: WireFailure): number {
  switch (kind) {
    case 'malformed':
      return ErrorCode.PROTOCOL_ERROR;
    case 'limit':
      return ErrorCode.ENHANCE_YOUR_CALM;
    case 'reset':
    case 'closed':
      return ErrorCode.CANCEL;
    case 'refused':
      return ErrorCode.REFUSED_STREAM;
  }
}
