// A tunnel between sidecars as a stream of messages: one for the head, then pieces as they come. Both ends write and read
// them alike.
import type { Flow } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { decodeTunnel, encodeTunnel, type TunnelMessage } from '../../api/proto/tunnel.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { FrameReader } from '../../wire/grpc-frame.ts';
import { type FrameSink, faultOfFrame, type MessageReader, sendMessage, unreadable } from './messages.ts';

/** Of the bytes in one message, as we send them. What is read is held until its message is whole. */
const PIECE_BYTES_MAX = 64 * 1024;
/** Of a message as it may come: a head, or a piece, with room. */
const MESSAGE_BYTES_MAX = 192 * 1024;

const NOTHING: TunnelMessage = { head: undefined, protocol: '', data: undefined, isEnd: false };

export class TunnelWriter {
  readonly #sink: FrameSink;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  head(head: Buffer, protocol = ''): void {
    this.#message({ ...NOTHING, head, protocol });
  }

  data(chunk: Buffer): Flow {
    let flow: Flow = 'ok';
    for (let at = 0; at < chunk.length; at += PIECE_BYTES_MAX)
      flow = this.#message({ ...NOTHING, data: chunk.subarray(at, at + PIECE_BYTES_MAX) });
    return flow;
  }

  end(): void {
    this.#message({ ...NOTHING, isEnd: true });
  }

  #message(message: TunnelMessage): Flow {
    return sendMessage(this.#sink, encodeTunnel(message));
  }
}

/** Insists on the order of the messages: one head, first; nothing behind the end. */
export class TunnelReader implements MessageReader<TunnelMessage> {
  readonly #frames = new FrameReader(MESSAGE_BYTES_MAX);
  #stage: 'head' | 'bytes' | 'ended' = 'head';

  push(chunk: Buffer): Result<readonly TunnelMessage[], Fault> {
    const frames = this.#frames.push(chunk);
    if (!frames.ok) return err(faultOfFrame(frames.error));
    const messages: TunnelMessage[] = [];
    for (const frame of frames.value) {
      const message = decodeTunnel(frame);
      if (!message.ok) return err(unreadable(message.error));
      const flaw = this.#flawOf(message.value);
      if (flaw !== undefined) return err(unreadable(flaw));
      messages.push(message.value);
    }
    return ok(messages);
  }

  get isComplete(): boolean {
    return this.#stage !== 'head' && this.#frames.isBetweenMessages;
  }

  get heldBytes(): number {
    return this.#frames.heldBytes;
  }

  drop(): void {
    this.#frames.letGo();
  }

  #flawOf({ head, isEnd }: TunnelMessage): string | undefined {
    if (this.#stage === 'ended') return 'a message arrived behind the end of the tunnel';
    if (this.#stage === 'head' && head === undefined) return 'the tunnel does not begin with a head';
    if (this.#stage === 'bytes' && head !== undefined) return 'a second head arrived in the tunnel';
    this.#stage = isEnd ? 'ended' : 'bytes';
    return undefined;
  }
}
