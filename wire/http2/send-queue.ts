// Who sends next. DATA of all streams of a connection takes turns, in pieces of at most a frame, so that a small message
// overtakes a large one. A stream waits in the ring while it has something to send and a window for it; a slow link stops
// the ring, and so, through `pause`, the streams' sources.
import type { Fields, Flow } from '../message.ts';
import { Chunks } from './chunks.ts';
import type { Outlet } from './outlet.ts';
import { FrameType, PAYLOAD_BYTES_MAX, WINDOW_BYTES_MAX } from './protocol.ts';

/** What waits of one stream: beyond the first a source is asked to pause, at the second to go on. 64 KiB pass without. */
const PENDING_BYTES_HIGH = 96 * 1024;
const PENDING_BYTES_LOW = 16 * 1024;
/** What is sent in one turn of the loop; other connections, and what arrives, have their turn after it. */
const TURN_BYTES_MAX = 256 * 1024;

/** The sending side of a stream. */
export abstract class Sender {
  readonly id: number;
  /** What the far side lets it send; below zero after its SETTINGS made windows smaller. */
  sendWindow: number;
  pending: Chunks | undefined;
  /** Set when the end was said: nothing is added any more. */
  trailers: Fields | undefined;
  hasPaused = false;
  next: Sender | undefined;
  previous: Sender | undefined;
  isInRing = false;

  constructor(id: number, sendWindow: number) {
    this.id = id;
    this.sendWindow = sendWindow;
  }

  /** There is room again after a `pause`. */
  abstract sourceMayGoOn(): void;
  /** All data is out, and the end was said. */
  abstract writeEnd(): void;
}

export class SendQueue {
  readonly #outlet: Outlet;
  #window: number;
  #first: Sender | undefined;
  #last: Sender | undefined;
  #frames = 0;

  constructor(outlet: Outlet, window: number) {
    this.#outlet = outlet;
    this.#window = window;
  }

  /** How many frames of DATA were sent; each is worth a frame of credit or two. */
  get frames(): number {
    return this.#frames;
  }

  data(sender: Sender, chunk: Buffer): Flow {
    const bytes = chunk.length;
    if (bytes === 0) return sender.hasPaused ? 'pause' : 'ok';
    if (this.#mayGoAtOnce(sender, bytes)) {
      this.#write(sender, chunk);
      return 'ok';
    }
    sender.pending ??= new Chunks();
    sender.pending.push(chunk);
    this.#enter(sender);
    if (sender.pending.bytes > PENDING_BYTES_HIGH) sender.hasPaused = true;
    return sender.hasPaused ? 'pause' : 'ok';
  }

  end(sender: Sender, trailers: Fields): void {
    sender.trailers = trailers;
    if (pendingBytes(sender) === 0) sender.writeEnd();
  }

  /** The far side opens the window of the stream, or shuts it; false when that is more than a window can be. */
  credit(sender: Sender, bytes: number): boolean {
    sender.sendWindow += bytes;
    if (sender.sendWindow > WINDOW_BYTES_MAX) return false;
    this.#enter(sender);
    return true;
  }

  creditConnection(bytes: number): boolean {
    this.#window += bytes;
    if (this.#window > WINDOW_BYTES_MAX) return false;
    if (this.#first !== undefined) this.#outlet.schedule();
    return true;
  }

  /** The stream is gone. */
  forget(sender: Sender): void {
    this.#leave(sender);
    sender.pending = undefined;
  }

  /** Sends what may go, a piece of each stream in turn. */
  pump(): void {
    const windowAtEnd = Math.max(0, this.#window - TURN_BYTES_MAX);
    while (this.#first !== undefined && this.#window > 0 && !this.#outlet.isFull) {
      if (this.#window < windowAtEnd) {
        this.#outlet.schedule();
        return;
      }
      const sender = this.#first;
      this.#leave(sender);
      const { pending } = sender;
      // The far side may have made its window smaller meanwhile.
      if (pending === undefined || sender.sendWindow <= 0) continue;
      this.#write(sender, pending.take(Math.min(PAYLOAD_BYTES_MAX, this.#window, sender.sendWindow)));
      if (pending.bytes === 0 && sender.trailers !== undefined) sender.writeEnd();
      else this.#enter(sender);
      if (sender.hasPaused && pending.bytes <= PENDING_BYTES_LOW) {
        sender.hasPaused = false;
        if (sender.trailers === undefined) sender.sourceMayGoOn();
      }
    }
  }

  /** The plain path: nobody waits, and the windows and the link are open. */
  #mayGoAtOnce(sender: Sender, bytes: number): boolean {
    return (
      this.#first === undefined &&
      bytes <= PAYLOAD_BYTES_MAX &&
      bytes <= sender.sendWindow &&
      bytes <= this.#window &&
      pendingBytes(sender) === 0 &&
      !this.#outlet.isFull
    );
  }

  #write(sender: Sender, piece: Buffer): void {
    sender.sendWindow -= piece.length;
    this.#window -= piece.length;
    this.#frames += 1;
    this.#outlet.frame(FrameType.DATA, 0, sender.id, piece);
  }

  #enter(sender: Sender): void {
    if (sender.isInRing || sender.sendWindow <= 0 || pendingBytes(sender) === 0) return;
    sender.isInRing = true;
    sender.previous = this.#last;
    sender.next = undefined;
    if (this.#last === undefined) this.#first = sender;
    else this.#last.next = sender;
    this.#last = sender;
    this.#outlet.schedule();
  }

  #leave(sender: Sender): void {
    if (!sender.isInRing) return;
    sender.isInRing = false;
    const { next, previous } = sender;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    sender.next = undefined;
    sender.previous = undefined;
  }
}

function pendingBytes({ pending }: Sender): number {
  return pending === undefined ? 0 : pending.bytes;
}
