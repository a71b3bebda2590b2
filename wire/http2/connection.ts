// What a connection is at both ends: its streams, what it writes, and how it comes to an end.
//
//   open ──▶ draining ──▶ closing ──▶ closed       drain: no new streams, over with the last one
//     └──────────┴───────────▲                     closing: all is said, the link is on its way down
import type { Clock } from '../../kit/clock.ts';
import type { Result } from '../../kit/result.ts';
import type { ByteLink, ByteLinkEvents } from '../byte-link.ts';
import type { FieldFlaw } from '../fields.ts';
import type { DecodedBlock, HpackError, NeverIndexed, PseudoFields } from '../hpack/block.ts';
import { HpackDecoder } from '../hpack/decoder.ts';
import { HpackEncoder } from '../hpack/encoder.ts';
import type { Fields, WireFailure } from '../message.ts';
import { CONNECTION_WINDOW_BYTES, PROCESS_WINDOW_BUDGET, STREAM_WINDOW_BYTES, type WindowBudget } from './flow.ts';
import { FrameReader } from './frame-reader.ts';
import { Incoming, type IncomingHost } from './incoming.ts';
import { defaultRates, Limits, type Offence, type Rates } from './limits.ts';
import { Outlet, type OutletEvents } from './outlet.ts';
import { Pings } from './pings.ts';
import {
  ErrorCode,
  exceeded,
  type Fault,
  Flag,
  FrameType,
  malformed,
  PAYLOAD_BYTES_MAX,
  WINDOW_BYTES_INITIAL,
} from './protocol.ts';
import { RecentIds } from './recent-ids.ts';
import { SendQueue } from './send-queue.ts';
import { applySettings, type PeerSettings, SETTINGS_BEFORE_ANY, Setting, writeSettings } from './settings.ts';
import type { Stream, StreamHost } from './stream.ts';
import { StreamTable } from './stream-table.ts';

export interface ConnectionOptions {
  readonly clock: Clock;
  /** How many streams may be open at once. */
  readonly streamsMax?: number;
  /** Of a head or of trailers: names, values and 32 bytes for each field. */
  readonly headBytesMax?: number;
  readonly headFieldsMax?: number;
  /** What streams grow their windows by; shared by the whole process unless another is given. */
  readonly windowBudget?: WindowBudget;
  readonly rates?: Partial<Rates>;
  /** How long the far side may take to hang up once it was told that the connection is over. */
  readonly lingerMs?: number;
}

export interface ConnectionEvents {
  /** The far side's first SETTINGS are here: it has taken us for a peer, whatever TLS had still to say. Comes once. */
  ready?(): void;
  /** It takes no new streams any more. Comes once at most. */
  retired?(): void;
  /** It is gone, with its link; a failure of the kind `closed` and the reason `drained` is its natural end. Comes once, last. */
  closed(failure: WireFailure): void;
}

type Life =
  | { readonly phase: 'open' | 'draining' | 'closed' }
  | { readonly phase: 'closing'; readonly failure: WireFailure; readonly cancelLinger: () => void };

const HEAD_BYTES_MAX = 64 * 1024;
const HEAD_FIELDS_MAX = 128;
const LINGER_MS = 1000;
/** What is written to a link that takes no more: answers to a far side that asks and does not read. */
const BACKLOG_BYTES_MAX = 1024 * 1024;
const RECENT_IDS_MIN = 1024;
const NO_BYTES = Buffer.alloc(0);
const DRAINED: WireFailure = { kind: 'closed', reason: 'drained' };

export abstract class Http2Connection implements ByteLinkEvents, OutletEvents, IncomingHost, StreamHost {
  readonly queue: SendQueue;
  readonly budget: WindowBudget;
  readonly streams = new StreamTable<Stream>();
  protected readonly outlet: Outlet;
  protected readonly resetByUs: RecentIds;
  protected readonly headBytesMax: number;
  protected life: Life = { phase: 'open' };
  protected peer: PeerSettings = SETTINGS_BEFORE_ANY;
  /** The last stream that the far side opened. */
  protected lastPeerId = 0;
  readonly #link: ByteLink;
  readonly #owner: ConnectionEvents;
  readonly #clock: Clock;
  readonly #lingerMs: number;
  readonly #encoder = new HpackEncoder();
  readonly #incoming: Incoming;
  readonly #reader: FrameReader;
  readonly #limits: Limits;
  readonly #pings = new Pings();
  readonly #creditDue = new Set<Stream>();
  #areSettingsAcknowledged = false;
  #isRetired = false;

  constructor(link: ByteLink, owner: ConnectionEvents, options: ConnectionOptions, streamsMax: number) {
    this.#link = link;
    this.#owner = owner;
    this.#clock = options.clock;
    this.#lingerMs = options.lingerMs ?? LINGER_MS;
    this.budget = options.windowBudget ?? PROCESS_WINDOW_BUDGET;
    this.headBytesMax = options.headBytesMax ?? HEAD_BYTES_MAX;
    this.outlet = new Outlet(link, this);
    this.queue = new SendQueue(this.outlet, WINDOW_BYTES_INITIAL);
    const fieldsMax = options.headFieldsMax ?? HEAD_FIELDS_MAX;
    const decoder = new HpackDecoder({ listBytesMax: this.headBytesMax, fieldsMax });
    this.#incoming = new Incoming(this, decoder, this.headBytesMax);
    this.#reader = new FrameReader(this.#incoming);
    this.#limits = new Limits(options.clock, { ...defaultRates(streamsMax), ...options.rates });
    this.resetByUs = new RecentIds(RECENT_IDS_MIN + 4 * streamsMax);
  }

  /** The far side goes by our settings. One that never says so is the owner's to give up. */
  get areSettingsAcknowledged(): boolean {
    return this.#areSettingsAcknowledged;
  }

  get streamCount(): number {
    return this.streams.size;
  }

  /** `done` is called when the far side has answered, and never if the connection ends first. */
  ping(done: () => void): void {
    this.outlet.frame(FrameType.PING, 0, 0, this.#pings.begin(done));
  }

  /** No new streams. Those that are open live on to their ends, and the connection ends with the last. */
  abstract drain(): void;

  /** Ends every stream with this failure, and the connection, at once. */
  destroy(failure: WireFailure): void {
    if (this.life.phase === 'closed') return;
    this.#end(failure, ErrorCode.NO_ERROR);
    // Nobody is waited for: whoever gave it up has no timer left.
    if (this.life.phase === 'closing') this.life.cancelLinger();
    this.#link.destroy();
  }

  // What the link says.

  data(chunk: Buffer): void {
    if (!this.isLive) return;
    const fault = this.receive(chunk);
    if (fault !== undefined) this.#end(fault.failure, fault.code);
    else if (this.outlet.bytesWhileFull > BACKLOG_BYTES_MAX)
      this.#end(exceeded('backlog-bytes').failure, ErrorCode.ENHANCE_YOUR_CALM);
  }

  /** By the end of the turn, and not at once: a link that drains as fast as it is filled must not keep the loop for itself. */
  drained(): void {
    this.outlet.drained();
    this.outlet.schedule();
  }

  ended(): void {
    this.#endByLink('the far side hung up');
  }

  closed(error: Error | undefined): void {
    this.outlet.close();
    this.#endByLink(error?.message ?? 'the link is closed');
    const { life } = this;
    if (life.phase !== 'closing') return;
    life.cancelLinger();
    this.life = { phase: 'closed' };
    this.#owner.closed(life.failure);
  }

  // What the outlet says.

  beforeFlush(): void {
    this.#writeDueCredit();
    this.queue.pump();
    if (this.life.phase === 'draining' && this.streams.size === 0 && this.isDrained())
      this.#end(DRAINED, ErrorCode.NO_ERROR);
  }

  beforeWrite(): void {}

  // What a frame does; the rest of it is in incoming.ts.

  abstract isIdle(id: number): boolean;
  abstract onHeaders(id: number, block: Result<DecodedBlock, HpackError>, isEnd: boolean): Fault | undefined;
  abstract onDataOfClosed(id: number): Fault | undefined;
  abstract onReset(stream: Stream): Fault | undefined;
  abstract onGoaway(lastId: number, code: number): Fault | undefined;

  onSettings(payload: Buffer, isFirst: boolean): Fault | undefined {
    const fault = this.applyPeerSettings(payload);
    if (fault !== undefined) return fault;
    this.outlet.frame(FrameType.SETTINGS, Flag.ACK, 0, NO_BYTES);
    if (isFirst) this.#owner.ready?.();
    return this.offend('settings-flood');
  }

  onSettingsAcknowledged(): void {
    this.#areSettingsAcknowledged = true;
  }

  onPing(payload: Buffer): Fault | undefined {
    this.outlet.frame(FrameType.PING, Flag.ACK, 0, payload);
    return this.offend('ping-flood');
  }

  onPingAcknowledged(payload: Buffer): void {
    this.#pings.acknowledged(payload);
  }

  failStream(stream: Stream, fault: Fault): Fault | undefined {
    if (stream.state !== 'closed') this.writeReset(stream.id, fault.code);
    stream.fail(fault.failure);
    // A stream that the far side broke costs as much as one that it gave up.
    return this.offend('rapid-reset');
  }

  offend(offence: Offence): Fault | undefined {
    return this.#limits.isTooMany(offence) ? exceeded(offence) : undefined;
  }

  // What a stream needs.

  writeHeaders(
    id: number,
    pseudo: PseudoFields,
    fields: Fields,
    neverIndexed: NeverIndexed | undefined,
    isEnd: boolean,
  ): FieldFlaw | undefined {
    const block = this.#encoder.encode(pseudo, fields, neverIndexed);
    if (!block.ok) return block.error;
    const bytes = block.value;
    const endStream = isEnd ? Flag.END_STREAM : 0;
    const firstEnd = Math.min(bytes.length, PAYLOAD_BYTES_MAX);
    const endHeaders = firstEnd === bytes.length ? Flag.END_HEADERS : 0;
    this.outlet.frame(FrameType.HEADERS, endStream | endHeaders, id, bytes, 0, firstEnd);
    for (let start = firstEnd; start < bytes.length; start += PAYLOAD_BYTES_MAX) {
      const end = Math.min(bytes.length, start + PAYLOAD_BYTES_MAX);
      this.outlet.frame(FrameType.CONTINUATION, end === bytes.length ? Flag.END_HEADERS : 0, id, bytes, start, end);
    }
    return undefined;
  }

  writeEnd(id: number): void {
    if (!this.outlet.endWithLast(id)) this.outlet.frame(FrameType.DATA, Flag.END_STREAM, id, NO_BYTES);
  }

  writeReset(id: number, code: number): void {
    this.resetByUs.add(id);
    this.outlet.number(FrameType.RST_STREAM, id, code);
  }

  writeCredit(id: number, bytes: number): void {
    this.outlet.number(FrameType.WINDOW_UPDATE, id, bytes);
  }

  creditIsDue(stream: Stream): void {
    this.#creditDue.add(stream);
    this.outlet.schedule();
  }

  gone(stream: Stream): void {
    this.streams.delete(stream);
    if (this.life.phase === 'draining' && this.streams.size === 0) this.outlet.schedule();
  }

  // What the two ends build on.

  /** Bytes are read and streams go on. */
  protected get isLive(): boolean {
    return this.life.phase === 'open' || this.life.phase === 'draining';
  }

  /** Bytes of frames. */
  protected receive(chunk: Buffer): Fault | undefined {
    return this.#reader.read(chunk);
  }

  protected writeOwnSettings(entries: readonly (readonly [setting: number, value: number])[]): void {
    const common = [
      [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
      [Setting.MAX_HEADER_LIST_SIZE, this.headBytesMax],
    ] as const;
    this.outlet.frame(FrameType.SETTINGS, 0, 0, writeSettings([...entries, ...common]));
    this.writeCredit(0, CONNECTION_WINDOW_BYTES - WINDOW_BYTES_INITIAL);
  }

  protected applyPeerSettings(payload: Buffer): Fault | undefined {
    const applied = applySettings(this.peer, payload);
    if (!applied.ok) return applied.error;
    const widerBytes = applied.value.initialWindowBytes - this.peer.initialWindowBytes;
    this.peer = applied.value;
    this.#encoder.peerAllowsTable(this.peer.headerTableBytes);
    if (widerBytes === 0) return undefined;
    for (const stream of this.streams.list()) {
      if (!this.queue.credit(stream, widerBytes))
        return malformed('INITIAL_WINDOW_SIZE beyond a stream', ErrorCode.FLOW_CONTROL_ERROR);
    }
    return undefined;
  }

  protected writeGoaway(lastId: number, code: number): void {
    const payload = Buffer.allocUnsafe(8);
    payload.writeUInt32BE(lastId, 0);
    payload.writeUInt32BE(code, 4);
    this.outlet.frame(FrameType.GOAWAY, 0, 0, payload);
  }

  protected retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#owner.retired?.();
  }

  /** The far side knows that no stream is to follow. */
  protected abstract isDrained(): boolean;

  /** What a stream is told that the connection leaves behind. */
  protected failureOf(_stream: Stream, failure: WireFailure): WireFailure {
    return failure;
  }

  #writeDueCredit(): void {
    if (this.#creditDue.size === 0) return;
    for (const stream of this.#creditDue) stream.writeDueCredit();
    this.#creditDue.clear();
  }

  /** A far side that hangs up when it was asked to come to an end, and has nothing open, does what it should. */
  #endByLink(reason: string): void {
    const isDrained = this.life.phase === 'draining' && this.streams.size === 0;
    this.#end(isDrained ? DRAINED : { kind: 'closed', reason }, ErrorCode.NO_ERROR);
  }

  /** Streams hear of it first; then the far side does, and it may hang up in its own time. */
  #end(failure: WireFailure, code: number): void {
    if (!this.isLive) return;
    this.#reader.stop();
    const cancelLinger = this.#clock.after(this.#lingerMs, () => this.#link.destroy());
    this.life = { phase: 'closing', failure, cancelLinger };
    for (const stream of this.streams.list()) stream.fail(this.failureOf(stream, failure));
    this.retire();
    if (failure !== DRAINED) this.writeGoaway(this.lastPeerId, code);
    this.outlet.flush();
    this.outlet.close();
    this.#link.end();
  }
}
