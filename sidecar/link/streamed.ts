// CallLocalStream: bodies in numbered pieces.
import type { Flow } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import {
  type ReplyHeadMessage,
  type RequestHeadMessage,
  type StreamMessage,
  StreamOrder,
} from '../../api/proto/peer.ts';
import {
  type DecodeFront,
  decodeReply,
  decodeReplyFront,
  decodeRequest,
  decodeRequestFront,
} from '../../api/proto/peer-decoding.ts';
import type { EncodedMessage } from '../../api/proto/peer-encoding.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { atTurnEnd, type TurnTask } from '../../kit/turn.ts';
import { FrameReader } from '../../wire/grpc-frame.ts';
import {
  type FrameSink,
  faultOfFrame,
  type MessageReader,
  type MessageWriter,
  sendMessage,
  unreadable,
} from './messages.ts';

/** A head, and a piece of a body as large as a socket read gave it, with a great deal of room. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

/**
 * The head waits for the first piece of the body, so that a small call is one message; at the end of the turn it goes
 * alone.
 */
export class StreamWriter<H> implements MessageWriter<H>, TurnTask {
  readonly #encode: (message: StreamMessage<H>) => EncodedMessage;
  readonly #sink: FrameSink;
  #unsentHead: H | undefined;
  #seq = 0;

  constructor(encode: (message: StreamMessage<H>) => EncodedMessage, sink: FrameSink) {
    this.#encode = encode;
    this.#sink = sink;
  }

  head(head: H): void {
    this.#unsentHead = head;
    atTurnEnd(this);
  }

  turnOver(): void {
    if (this.#unsentHead !== undefined) this.#message(undefined, []);
  }

  data(chunk: Buffer): Flow {
    return this.#message(chunk, []);
  }

  end(trailers: Headers): void {
    if (this.#unsentHead !== undefined || trailers.length > 0) this.#message(undefined, trailers);
  }

  drop(): void {
    this.#unsentHead = undefined;
  }

  #message(data: Buffer | undefined, trailers: Headers): Flow {
    const head = this.#unsentHead;
    this.#unsentHead = undefined;
    const seq = data === undefined ? 0 : this.#seq++;
    return sendMessage(this.#sink, this.#encode({ head, data, seq, trailers }));
  }
}

/** How the messages of one direction are read: whole ones, and the front of one whose piece is still on its way. */
export interface StreamCodec<H> {
  readonly decode: (bytes: Buffer) => Result<StreamMessage<H>>;
  readonly decodeFront: DecodeFront<H>;
}

export const REQUEST_CODEC: StreamCodec<RequestHeadMessage> = {
  decode: decodeRequest,
  decodeFront: decodeRequestFront,
};
export const REPLY_CODEC: StreamCodec<ReplyHeadMessage> = { decode: decodeReply, decodeFront: decodeReplyFront };

/** Insists on the order of the messages. A large piece is passed on as it arrives, and not held until it is whole. */
export class StreamReader<H> implements MessageReader<StreamMessage<H>> {
  readonly #codec: StreamCodec<H>;
  readonly #frames = new FrameReader(MESSAGE_BYTES_MAX);
  readonly #order = new StreamOrder();
  /** Of the piece that is being passed on. */
  #leftBytes = 0;

  constructor(codec: StreamCodec<H>) {
    this.#codec = codec;
  }

  push(chunk: Buffer): Result<readonly StreamMessage<H>[], Fault> {
    if (this.#leftBytes === 0) return this.#read(chunk, []);
    const data = chunk.subarray(0, this.#leftBytes);
    this.#leftBytes -= data.length;
    const messages: StreamMessage<H>[] = [{ head: undefined, data, seq: 0, trailers: [] }];
    return data.length === chunk.length ? ok(messages) : this.#read(chunk.subarray(data.length), messages);
  }

  get isComplete(): boolean {
    return this.#leftBytes === 0 && this.#frames.isBetweenMessages;
  }

  get heldBytes(): number {
    return this.#frames.heldBytes;
  }

  drop(): void {
    this.#frames.letGo();
  }

  #read(chunk: Buffer, messages: StreamMessage<H>[]): Result<readonly StreamMessage<H>[], Fault> {
    const frames = this.#frames.push(chunk);
    if (!frames.ok) return err(faultOfFrame(frames.error));
    for (const frame of frames.value) {
      const message = this.#codec.decode(frame);
      if (!message.ok) return err(unreadable(message.error));
      const order = this.#order.accept(message.value);
      if (!order.ok) return err(unreadable(order.error));
      messages.push(message.value);
    }
    return this.#readFront(messages);
  }

  #readFront(messages: StreamMessage<H>[]): Result<readonly StreamMessage<H>[], Fault> {
    const { begun } = this.#frames;
    if (begun === undefined) return ok(messages);
    const front = this.#codec.decodeFront(begun.bytes, begun.messageBytes);
    if (front === undefined) return ok(messages);
    const order = this.#order.accept(front);
    if (!order.ok) return err(unreadable(order.error));
    this.#frames.letGo();
    this.#leftBytes = begun.messageBytes - begun.bytes.length;
    messages.push(front);
    return ok(messages);
  }
}
