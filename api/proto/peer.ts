// The messages between sidecars (internals.proto, common.proto), as everybody here sees them. peer-encoding.ts makes bytes of them,
// and peer-decoding.ts reads them.
//
// A stream's first message carries the head and may carry the first piece of the body; the others carry pieces, and
// the last may carry HTTP trailers. A unary message is the same head with the whole body inside.
import { err, ok, type Result } from '../../kit/result.ts';
import type { Headers } from '../headers.ts';

/** The head of a call as the peer protocol has it. */
export interface RequestHeadMessage {
  /** In upper case; empty where the peer names none, and `?` for a number that is not in the contract. */
  readonly verb: string;
  /** With its leading slash. */
  readonly path: string;
  /** False when a Dapr sidecar decoded the path before it sent it. */
  readonly isCanonicalPath: boolean;
  readonly query: string;
  readonly headers: Headers;
  /** More of them, none of a name that `headers` has: one list for many calls, which is put into bytes once. */
  readonly sharedHeaders?: Headers;
  /** Type URL of the google.protobuf.Any that the body is. */
  readonly dataTypeUrl?: string;
}

export interface ReplyHeadMessage {
  /** Below 100 it is a gRPC status: an app that speaks gRPC has answered. */
  readonly status: number;
  readonly headers: Headers;
  /** Of such a status. For people: not a byte string. */
  readonly message?: string;
  /** Of such a status: each a google.protobuf.Any, in bytes. */
  readonly details?: readonly Buffer[];
  /** As in a request. */
  readonly dataTypeUrl?: string;
  /** Of a Dapr sidecar whose app speaks gRPC: the trailers of its answer, which are known by then. */
  readonly trailers?: Headers;
}

/** InternalInvokeResponse.status.code from here on is an HTTP status. Dapr's rule. */
export const HTTP_STATUS_MIN = 100;

/** One message of either stream. `data` is a piece of the body with its number. */
export interface StreamMessage<H> {
  readonly head: H | undefined;
  readonly data: Buffer | undefined;
  readonly seq: number;
  readonly trailers: Headers;
}

/** HTTPExtension.Verb, by number; 0 is none. */
export const VERBS: readonly string[] = [
  '',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
];

/** Takes messages of a stream in turn and insists on their order: one head, first; pieces numbered from 0. */
export class StreamOrder {
  #sawHead = false;
  #nextSeq = 0;

  accept(message: StreamMessage<unknown>): Result<void> {
    if (this.#sawHead && message.head !== undefined) return err('a second head arrived in the stream');
    if (!this.#sawHead && message.head === undefined) return err('the stream does not begin with a head');
    this.#sawHead = true;
    if (message.data === undefined) return ok(undefined);
    if (message.seq !== this.#nextSeq) return err(`piece ${message.seq} arrived where piece ${this.#nextSeq} belongs`);
    this.#nextSeq++;
    return ok(undefined);
  }
}
