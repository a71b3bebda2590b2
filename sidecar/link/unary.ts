// CallLocal: the whole call in one message, and the whole answer in another. For Dapr sidecars that know no streams; ours
// never send it to each other. HTTP trailers have no place in it and are lost.
import type { Flow } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { StreamMessage } from '../../api/proto/peer.ts';
import { GatheredBytes } from '../../kit/gathered-bytes.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frame.ts';
import { type FrameSink, faultOfFrame, type MessageReader, type MessageWriter, unreadable } from './messages.ts';

/** What has to be held whole has to be bounded; a larger body belongs in a stream. */
export const UNARY_BYTES_MAX = 64 * 1024 * 1024;
/** The message around the body. */
const HEAD_BYTES_MAX = 128 * 1024;

export class UnaryWriter<H> implements MessageWriter<H> {
  readonly #encode: (head: H, body: Buffer) => Buffer;
  readonly #sink: FrameSink;
  readonly #overflow: () => void;
  #head: H | undefined;
  readonly #body = new GatheredBytes(UNARY_BYTES_MAX);

  /** `overflow` is called when the body is too large to be held; the call is then to be given up. */
  constructor(encode: (head: H, body: Buffer) => Buffer, sink: FrameSink, overflow: () => void) {
    this.#encode = encode;
    this.#sink = sink;
    this.#overflow = overflow;
  }

  head(head: H): void {
    this.#head = head;
  }

  data(chunk: Buffer): Flow {
    if (!this.#body.push(chunk)) this.#overflow();
    return 'ok';
  }

  end(_trailers: Headers): void {
    if (this.#head !== undefined) this.#sink.send(frameMessage(this.#encode(this.#head, this.#body.take())));
    this.drop();
  }

  drop(): void {
    this.#head = undefined;
    this.#body.take();
  }
}

export class UnaryReader<H> implements MessageReader<StreamMessage<H>> {
  readonly #decode: (bytes: Buffer) => Result<{ head: H; body: Buffer }>;
  readonly #frames: FrameReader;
  #messages = 0;

  constructor(decode: (bytes: Buffer) => Result<{ head: H; body: Buffer }>, bodyBytesMax: number) {
    this.#decode = decode;
    this.#frames = new FrameReader(Math.min(bodyBytesMax, UNARY_BYTES_MAX) + HEAD_BYTES_MAX);
  }

  push(chunk: Buffer): Result<readonly StreamMessage<H>[], Fault> {
    const frames = this.#frames.push(chunk);
    if (!frames.ok) return err(faultOfFrame(frames.error));
    this.#messages += frames.value.length;
    if (this.#messages > 1) return err(unreadable('a unary call has one message'));
    const [frame] = frames.value;
    if (frame === undefined) return ok([]);
    const message = this.#decode(frame);
    if (!message.ok) return err(unreadable(message.error));
    return ok([{ head: message.value.head, data: message.value.body, seq: 0, trailers: [] }]);
  }

  get isComplete(): boolean {
    return this.#frames.isBetweenMessages;
  }

  get heldBytes(): number {
    return this.#frames.heldBytes;
  }

  drop(): void {
    this.#frames.letGo();
  }
}
