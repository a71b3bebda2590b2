// One gRPC call as its client sees it (gRPC over HTTP/2): the head that opens it, and an answer of messages and one end.
import { FrameReader } from './grpc-frame.ts';
import type { Fields, Flow, RequestHead, ResponseHead, ResponseReceiver, WireFailure } from './message.ts';

/** The head of any gRPC call; `fields` are all that it says. */
export function grpcHead(to: GrpcServer, path: string, fields: Fields): RequestHead {
  return {
    method: 'POST',
    target: path,
    authority: to.authority,
    scheme: to.scheme,
    fields,
    bodyBytes: undefined,
    upgrade: undefined,
    expectsContinue: false,
  };
}

/** `more`: fields beside those that every call has. */
export function grpcRequest(to: GrpcServer, path: string, more: Fields = []): RequestHead {
  return grpcHead(to, path, ['content-type', 'application/grpc', 'te', 'trailers', ...more]);
}

export interface GrpcServer {
  readonly scheme: 'http' | 'https';
  readonly authority: string;
}

/** How an answer ended. The reasons go on from the server's name, or from "because". */
export type GrpcEnd =
  /** The server's own word; its message is percent-encoded as it came. */
  | { readonly kind: 'status'; readonly status: number; readonly message: string }
  /** What was answered is not gRPC. */
  | { readonly kind: 'malformed'; readonly reason: string }
  /** The answer did not come, or not to its end. */
  | { readonly kind: 'broken'; readonly reason: string };

export interface GrpcEvents {
  message(bytes: Buffer): void;
  /** Once, last. The stream may still be open after what is malformed: it is the owner's to cancel. */
  ended(end: GrpcEnd): void;
}

const STATUS = /^[0-9]{1,9}$/;

/** Takes an answer at the speed at which it comes: the largest message bounds what is held of it. */
export class GrpcAnswer implements ResponseReceiver {
  readonly #reader: FrameReader;
  readonly #events: GrpcEvents;
  #head: ResponseHead | undefined;
  #isOver = false;

  constructor(messageBytesMax: number, events: GrpcEvents) {
    this.#reader = new FrameReader(messageBytesMax);
    this.#events = events;
  }

  informational(): void {}

  head(head: ResponseHead): void {
    this.#head = head;
    // A page of whoever is there instead, which would be read as messages.
    if (head.status !== 200 && fieldOf(head.fields, 'grpc-status') === undefined) this.#withoutStatus();
  }

  data(chunk: Buffer): Flow {
    if (this.#isOver) return 'ok';
    const read = this.#reader.push(chunk);
    if (!read.ok) {
      this.#over({ kind: 'malformed', reason: `its message is ${read.error}` });
      return 'ok';
    }
    for (const message of read.value) {
      if (!this.#isOver) this.#events.message(message);
    }
    return 'ok';
  }

  /** The status is in the trailers, or in the head of an answer that is nothing else ("Trailers-Only"). */
  end(trailers: Fields): void {
    const last = trailers.length > 0 ? trailers : (this.#head?.fields ?? []);
    const status = fieldOf(last, 'grpc-status');
    if (status === undefined) this.#withoutStatus();
    else if (!STATUS.test(status)) this.#over({ kind: 'malformed', reason: 'its grpc-status is no number' });
    else if (status === '0' && !this.#reader.isBetweenMessages)
      this.#over({ kind: 'malformed', reason: 'it ended amid a message' });
    else this.#over({ kind: 'status', status: Number(status), message: fieldOf(last, 'grpc-message') ?? '' });
  }

  abort(failure: WireFailure): void {
    this.#over({ kind: 'broken', reason: wordsOf(failure) });
  }

  resume(): void {}

  cancel(): void {}

  #withoutStatus(): void {
    this.#over({ kind: 'malformed', reason: `it answered ${this.#head?.status} without a grpc-status` });
  }

  #over(end: GrpcEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.ended(end);
  }
}

function fieldOf(fields: Fields, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) return fields[i + 1];
  }
  return undefined;
}

function wordsOf({ kind, reason }: WireFailure): string {
  switch (kind) {
    case 'closed':
      return 'the connection was closed';
    case 'reset':
    case 'refused':
      return `it gave the call up with ${reason}`;
    case 'malformed':
      return `it does not speak HTTP/2 as it should: ${reason}`;
    case 'limit':
      return `it went past the limit ${reason}`;
  }
}
