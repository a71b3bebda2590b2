// The two halves of a CallLocalStream, whichever end one stands at: pieces of a body to gRPC frames, frames to pieces.
import type { Flow } from '../../api/exchange.ts';
import type { Headers } from '../../api/headers.ts';
import { type StreamMessage, StreamOrder } from '../../api/proto/peer.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frame.ts';

export const SERVICE = '/dapr.proto.internals.v1.ServiceInvocation';
export const CALL_LOCAL_STREAM = `${SERVICE}/CallLocalStream`;
export const CALL_LOCAL = `${SERVICE}/CallLocal`;

/** One message of a stream: a head, and a piece of a body as large as a socket read gave it. */
const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Writes a stream's messages. The head waits for the first piece of the body, so that a small call is one message; at
 * the end of the turn it goes alone.
 */
export class MessageWriter<H> {
  readonly #encode: (message: StreamMessage<H>) => Buffer;
  readonly #send: (frame: Buffer) => Flow;
  #unsentHead: H | undefined;
  #seq = 0;

  constructor(encode: (message: StreamMessage<H>) => Buffer, send: (frame: Buffer) => Flow) {
    this.#encode = encode;
    this.#send = send;
  }

  head(head: H): void {
    this.#unsentHead = head;
    setImmediate(() => this.flush());
  }

  data(chunk: Buffer): Flow {
    return this.#message(chunk, []);
  }

  /** The last message, if there is anything left to say. The sender half-closes after it. */
  end(trailers: Headers): void {
    if (this.#unsentHead !== undefined || trailers.length > 0) this.#message(undefined, trailers);
  }

  flush(): void {
    if (this.#unsentHead !== undefined) this.#message(undefined, []);
  }

  /** Forgets a head that has not left: the stream ends another way. */
  drop(): void {
    this.#unsentHead = undefined;
  }

  #message(data: Buffer | undefined, trailers: Headers): Flow {
    const head = this.#unsentHead;
    this.#unsentHead = undefined;
    const seq = data === undefined ? 0 : this.#seq++;
    return this.#send(frameMessage(this.#encode({ head, data, seq, trailers })));
  }
}

/** Reads a stream's messages and insists on their order. */
export class MessageReader<H> {
  readonly #decode: (bytes: Buffer) => Result<StreamMessage<H>>;
  readonly #frames = new FrameReader(MESSAGE_BYTES_MAX);
  readonly #order = new StreamOrder();

  constructor(decode: (bytes: Buffer) => Result<StreamMessage<H>>) {
    this.#decode = decode;
  }

  push(chunk: Buffer): Result<readonly StreamMessage<H>[]> {
    const frames = this.#frames.push(chunk);
    if (!frames.ok) return err(frameErrorText(frames.error));
    const messages: StreamMessage<H>[] = [];
    for (const frame of frames.value) {
      const message = this.#decode(frame);
      if (!message.ok) return message;
      const order = this.#order.accept(message.value);
      if (!order.ok) return order;
      messages.push(message.value);
    }
    return ok(messages);
  }

  /** Whether the stream may end here. */
  get isComplete(): boolean {
    return this.#frames.isBetweenMessages;
  }
}

export function frameErrorText(error: 'compressed' | 'too-large'): string {
  return error === 'compressed'
    ? 'a message is compressed, which was not agreed on'
    : 'a message is larger than any may be';
}
