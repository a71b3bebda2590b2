// CallLocalStream: bodies in numbered pieces.
import type { Flow } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import { type EncodedMessage, type StreamMessage, StreamOrder } from '../../api/proto/peer.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { atTurnEnd, type TurnTask } from '../../kit/turn.ts';
import { FrameReader, frameText } from '../../wire/grpc-frame.ts';
import { type FrameSink, faultOfFrame, type MessageReader, type MessageWriter, unreadable } from './messages.ts';

/** A head, and a piece of a body as large as a socket read gave it, with a great deal of room. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

const COPY_BYTES_MAX = 2048;

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
    const { front, piece } = this.#encode({ head, data, seq, trailers });
    // A large piece goes as it is; a small one is cheaper copied than written apart.
    const isApart = piece !== undefined && piece.length > COPY_BYTES_MAX;
    const flow = this.#sink.send(frameText(front, piece, isApart));
    return isApart ? this.#sink.send(piece) : flow;
  }
}

/** Insists on the order of the messages. */
export class StreamReader<H> implements MessageReader<H> {
  readonly #decode: (bytes: Buffer) => Result<StreamMessage<H>>;
  readonly #frames = new FrameReader(MESSAGE_BYTES_MAX);
  readonly #order = new StreamOrder();

  constructor(decode: (bytes: Buffer) => Result<StreamMessage<H>>) {
    this.#decode = decode;
  }

  push(chunk: Buffer): Result<readonly StreamMessage<H>[], Fault> {
    const frames = this.#frames.push(chunk);
    if (!frames.ok) return err(faultOfFrame(frames.error));
    const messages: StreamMessage<H>[] = [];
    for (const frame of frames.value) {
      const message = this.#decode(frame);
      if (!message.ok) return err(unreadable(message.error));
      const order = this.#order.accept(message.value);
      if (!order.ok) return err(unreadable(order.error));
      messages.push(message.value);
    }
    return ok(messages);
  }

  get isComplete(): boolean {
    return this.#frames.isBetweenMessages;
  }

  get heldBytes(): number {
    return this.#frames.heldBytes;
  }
}
