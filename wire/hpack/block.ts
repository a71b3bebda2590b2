// What a header block says once it is decoded, and what can be wrong with one.
import type { Result } from '../../kit/result.ts';
import type { FieldFlaw } from '../fields.ts';
import type { Fields, RequestHead, ResponseHead } from '../message.ts';

/** The fields whose names begin with a colon; undefined where they were not sent. Which belong together is not judged here. */
export interface PseudoFields {
  readonly method: string | undefined;
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  readonly path: string | undefined;
  /** Extended CONNECT, RFC 8441. */
  readonly protocol: string | undefined;
  readonly status: string | undefined;
}

/**
 * The names of fields that may never enter a table, here or further on (RFC 7541, 7.1.3). Names and not positions, so that
 * it stays true of a list from which fields were taken and to which others were added.
 */
export type NeverIndexed = ReadonlySet<string>;

/**
 * Equal blocks give the same object again while they are held in the decoder's cache, its lists too: what is known of a list
 * may be kept by its identity. So nothing here is ever written to but `reading`.
 */
export interface DecodedBlock {
  readonly pseudo: PseudoFields;
  readonly fields: Fields;
  readonly neverIndexed: NeverIndexed;
  /** What heads.ts of HTTP/2 made of it last: a block that repeats is judged once. */
  reading: Reading | undefined;
}

/** A block that was found to be a head, of a message with a body or without (`isEnded`), or to be trailers. */
export type Reading =
  | { readonly kind: 'request'; readonly isEnded: boolean; readonly result: Result<RequestHead, never> }
  | { readonly kind: 'response'; readonly isEnded: boolean; readonly result: Result<ResponseHead, never> }
  | { readonly kind: 'trailers'; readonly result: Result<Fields, never> };

/** A pseudo-header field that nobody knows, that comes twice, or that comes after a field. */
export type PseudoFlaw = 'pseudo-field-unknown' | 'pseudo-field-twice' | 'pseudo-field-late';

/**
 * `compression`: the table is out of step, and the connection is lost (COMPRESSION_ERROR). The others concern one message
 * alone; the block was decoded to its end, and the table is in step.
 */
export type HpackError =
  | { readonly kind: 'compression'; readonly reason: string }
  | { readonly kind: 'limit'; readonly reason: 'head-bytes' | 'head-fields' }
  | { readonly kind: 'malformed'; readonly reason: FieldFlaw | PseudoFlaw };

/** Of trailers. */
export const NO_PSEUDO: PseudoFields = {
  method: undefined,
  scheme: undefined,
  authority: undefined,
  path: undefined,
  protocol: undefined,
  status: undefined,
};

export const NONE_NEVER_INDEXED: NeverIndexed = new Set();

/** The protocol's size of a dynamic table before SETTINGS say otherwise (RFC 9113, 6.5.2). */
export const TABLE_BYTES_DEFAULT = 4096;
