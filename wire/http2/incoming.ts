// What each frame that arrives does to the connection and its streams. The two ends differ in who may open a stream; that, and
// what a connection is besides, is the host's.
import type { Result } from '../../kit/result.ts';
import type { DecodedBlock, HpackError } from '../hpack/block.ts';
import type { HpackDecoder } from '../hpack/decoder.ts';
import { CONNECTION_WINDOW_BYTES, ConnectionWindow } from './flow.ts';
import type { FrameEvents } from './frame-reader.ts';
import { dependsOn, type Gathered, HeaderGatherer, isWholeBlock } from './gather.ts';
import type { Offence } from './limits.ts';
import { ErrorCode, type Fault, Flag, FrameType, malformed, readUint31, readUint32, resetBy } from './protocol.ts';
import type { SendQueue } from './send-queue.ts';
import { NO_FIELDS, type Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

/** The connection, as seen by the frames that arrive. A fault that is returned is the connection's end. */
export interface IncomingHost {
  readonly queue: SendQueue;
  readonly streams: StreamTable<Stream>;
  /** Never used yet: no frame but one that opens it may name it. */
  isIdle(id: number): boolean;
  onHeaders(id: number, block: Result<DecodedBlock, HpackError>, isEnd: boolean): Fault | undefined;
  /** DATA of a stream that is closed. */
  onDataOfClosed(id: number): Fault | undefined;
  /** The far side has reset an open stream, which is told after this. */
  onReset(stream: Stream): Fault | undefined;
  onSettings(payload: Buffer, isFirst: boolean): Fault | undefined;
  onSettingsAcknowledged(): void;
  onPing(payload: Buffer): Fault | undefined;
  onPingAcknowledged(payload: Buffer): void;
  onGoaway(lastId: number, code: number): Fault | undefined;
  /** Ends one stream by RST_STREAM. */
  failStream(stream: Stream, fault: Fault): Fault | undefined;
  /** Counts what a peer may not do too often. */
  offend(offence: Offence): Fault | undefined;
  writeCredit(id: number, bytes: number): void;
}

/** What one frame of DATA may be answered with: credit for its stream, and for the connection. */
const CREDITS_PER_FRAME = 2;

export class Incoming implements FrameEvents {
  readonly #host: IncomingHost;
  readonly #decoder: HpackDecoder;
  readonly #gatherer: HeaderGatherer;
  readonly #window = new ConnectionWindow(CONNECTION_WINDOW_BYTES, CONNECTION_WINDOW_BYTES);
  #hasSettings = false;
  #creditsReceived = 0;
  // The DATA that is being read; no stream if nobody wants it.
  #stream: Stream | undefined;
  #paddingBytes = 0;
  #isEmpty = true;
  #isEnd = false;

  constructor(host: IncomingHost, decoder: HpackDecoder, headBytesMax: number) {
    this.#host = host;
    this.#decoder = decoder;
    this.#gatherer = new HeaderGatherer(headBytesMax);
  }

  /** Whether the far side's first SETTINGS are here. */
  get hasSettings(): boolean {
    return this.#hasSettings;
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): Fault | undefined {
    if (!this.#hasSettings && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) return tooEarly();
    if (this.#gatherer.isAmidBlock && type !== FrameType.CONTINUATION) return amidBlock();
    switch (type) {
      case FrameType.HEADERS:
        if (isWholeBlock(flags)) return this.#onBlock(id, (flags & Flag.END_STREAM) !== 0, bytes, start, end);
        return this.#onGathered(this.#gatherer.headers(flags, id, bytes.subarray(start, end)));
      case FrameType.CONTINUATION:
        return this.#onGathered(this.#gatherer.continuation(flags, id, bytes.subarray(start, end)));
      case FrameType.WINDOW_UPDATE:
        return this.#onWindowUpdate(id, readUint31(bytes, start));
      case FrameType.RST_STREAM:
        return this.#onReset(id, readUint32(bytes, start));
      default:
        return this.#onRareFrame(type, flags, id, bytes.subarray(start, end));
    }
  }

  #onRareFrame(type: number, flags: number, id: number, payload: Buffer): Fault | undefined {
    switch (type) {
      case FrameType.SETTINGS:
        return this.#onSettings(flags, payload);
      case FrameType.PING:
        if ((flags & Flag.ACK) === 0) return this.#host.onPing(payload);
        this.#host.onPingAcknowledged(payload);
        return undefined;
      case FrameType.GOAWAY:
        return this.#host.onGoaway(readUint31(payload, 0), readUint32(payload, 4));
      case FrameType.PRIORITY:
        if (dependsOn(payload) === id) return malformed('a stream that depends on itself');
        return this.#host.offend('priority-flood');
      default:
        return this.#host.offend('stray-frame-flood');
    }
  }

  dataBegun(id: number, flags: number, bytes: number): Fault | undefined {
    if (!this.#hasSettings) return tooEarly();
    if (this.#gatherer.isAmidBlock) return amidBlock();
    if (!this.#window.receive(bytes)) return malformed('DATA beyond the window', ErrorCode.FLOW_CONTROL_ERROR);
    const credit = this.#window.due();
    if (credit > 0) this.#host.writeCredit(0, credit);
    this.#isEnd = (flags & Flag.END_STREAM) !== 0;
    this.#paddingBytes = bytes;
    this.#isEmpty = true;
    this.#stream = this.#host.streams.get(id);
    if (this.#stream === undefined) return this.#host.isIdle(id) ? ofIdle('DATA') : this.#host.onDataOfClosed(id);
    const fault = this.#stream.receiveDataHead(bytes);
    return fault === undefined ? undefined : this.#failStream(fault);
  }

  dataPiece(piece: Buffer): Fault | undefined {
    this.#paddingBytes -= piece.length;
    this.#isEmpty = false;
    const fault = this.#stream?.receiveData(piece);
    return fault === undefined ? undefined : this.#failStream(fault);
  }

  dataEnded(): Fault | undefined {
    const stream = this.#stream;
    if (stream === undefined) return undefined;
    if (this.#isEmpty && !this.#isEnd) {
      const offence = this.#host.offend('empty-data-flood');
      if (offence !== undefined) return offence;
    }
    if (this.#paddingBytes > 0) stream.receivePadding(this.#paddingBytes);
    const fault = this.#isEnd ? stream.receiveEnd(NO_FIELDS) : undefined;
    if (fault !== undefined) return this.#failStream(fault);
    this.#stream = undefined;
    return undefined;
  }

  #failStream(fault: Fault): Fault | undefined {
    const stream = this.#stream;
    this.#stream = undefined;
    return stream === undefined ? undefined : this.#host.failStream(stream, fault);
  }

  #onGathered(gathered: Gathered): Fault | undefined {
    if (gathered.kind === 'more') return undefined;
    if (gathered.kind === 'fault') return gathered.fault;
    const { id, isEnd, bytes } = gathered.block;
    return this.#onBlock(id, isEnd, bytes, 0, bytes.length);
  }

  /** Of streams that are gone, too: the table has to stay in step. */
  #onBlock(id: number, isEnd: boolean, bytes: Buffer, start: number, end: number): Fault | undefined {
    const block = this.#decoder.decode(bytes, start, end);
    if (!block.ok && block.error.kind === 'compression')
      return malformed(block.error.reason, ErrorCode.COMPRESSION_ERROR);
    return this.#host.onHeaders(id, block, isEnd);
  }

  #onSettings(flags: number, payload: Buffer): Fault | undefined {
    const isFirst = !this.#hasSettings;
    this.#hasSettings = true;
    if ((flags & Flag.ACK) === 0) return this.#host.onSettings(payload, isFirst);
    this.#decoder.settingsAcknowledged();
    this.#host.onSettingsAcknowledged();
    return undefined;
  }

  #onWindowUpdate(id: number, bytes: number): Fault | undefined {
    const host = this.#host;
    this.#creditsReceived += 1;
    if (this.#creditsReceived > CREDITS_PER_FRAME * host.queue.frames) {
      const fault = host.offend('window-update-flood');
      if (fault !== undefined) return fault;
    }
    if (id === 0) {
      if (bytes === 0) return malformed('credit of nothing');
      return host.queue.creditConnection(bytes) ? undefined : beyondWindow();
    }
    const stream = host.streams.get(id);
    if (stream === undefined) return host.isIdle(id) ? ofIdle('WINDOW_UPDATE') : undefined;
    if (bytes === 0) return host.failStream(stream, malformed('credit of nothing'));
    return host.queue.credit(stream, bytes) ? undefined : host.failStream(stream, beyondWindow());
  }

  #onReset(id: number, code: number): Fault | undefined {
    const stream = this.#host.streams.get(id);
    if (stream === undefined)
      return this.#host.isIdle(id) ? ofIdle('RST_STREAM') : this.#host.offend('stray-frame-flood');
    const fault = this.#host.onReset(stream);
    stream.fail(resetBy(code));
    return fault;
  }
}

function tooEarly(): Fault {
  return malformed('another frame before SETTINGS');
}

function amidBlock(): Fault {
  return malformed('another frame amid a header block');
}

function ofIdle(name: string): Fault {
  return malformed(`${name} of an idle stream`);
}

function beyondWindow(): Fault {
  return malformed('credit beyond the largest window', ErrorCode.FLOW_CONTROL_ERROR);
}
