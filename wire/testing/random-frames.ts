// For tests: frames of HTTP/2 that somebody might send, right and wrong, and users of a connection who do what users do.
import fc from 'fast-check';
import { Flag, FrameType } from '../http2/protocol.ts';
import type {
  Fields,
  Flow,
  Pushed,
  RequestHead,
  RequestReceiver,
  Responder,
  ResponseHead,
  ResponseReceiver,
  Serve,
  Steering,
  WireFailure,
} from '../message.ts';
import { block, GET, number32, POST, rawFrame } from './raw-frames.ts';

const { END_HEADERS, END_STREAM } = Flag;
const PAYLOAD_BYTES_MAX = 16_384;

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((each) => Buffer.from(each));
const number = fc
  .oneof(fc.constantFrom(0, 1, 100, 65_535, 2 ** 31 - 1, 2 ** 32 - 1), fc.nat(2 ** 31 - 1))
  .map(number32);
const body = fc.oneof(
  bytes(40),
  fc.constantFrom(5, 1000, 10_000, PAYLOAD_BYTES_MAX).map((length) => Buffer.alloc(length)),
);

const fields = fc.constantFrom<Fields>(
  ...[[], [], ['content-length', '5'], ['te', 'trailers', 'x-user', 'peter'], ['x-large', 'v'.repeat(20_000)]],
  ...[
    ['connection', 'close'],
    ['content-length', '5', 'content-length', '6'],
  ],
);
const requests = fc
  .tuple(
    fc.constantFrom(POST, POST, POST, GET, { ...GET, method: 'HEAD' }, { method: 'CONNECT', authority: 'a:1' }, {}),
    fields,
  )
  .map(([pseudo, list]) => block(pseudo, list));
const responses = fc
  .tuple(fc.constantFrom('200', '200', '200', '204', '304', '100', '103', '101', 'x'), fields)
  .map(([status, list]) => block({ status }, list));
const trailers = fc.constantFrom(
  block({}),
  block({}, ['x-trailer', 'yes']),
  block({ path: '/' }),
  block({}, ['te', 'x']),
);

const fairSetting = fc
  .tuple(
    fc.constantFrom(
      [1, 0],
      [1, 100],
      [1, 4096],
      [3, 0],
      [3, 100],
      [4, 0],
      [4, 10],
      [4, 1_000_000],
      [5, 16_384],
      [6, 100],
      [99, 1],
    ),
  )
  .map(([[key = 0, value = 0]]) => Buffer.concat([Buffer.of(0, key), number32(value)]));
const settings = fc.array(fairSetting, { maxLength: 3 }).map((all) => Buffer.concat(all));

const frameOf = (type: number, ...payload: Buffer[]) => ({ type, payload: Buffer.concat(payload) });
/** What is sent next, and on which stream: one of those that are open there, or all. */
const step = (heads: fc.Arbitrary<Buffer>) =>
  fc.record({
    pick: fc.nat(20),
    isEnd: fc.boolean(),
    /** Where HEADERS are cut, if they are. */
    cut: fc.oneof(fc.constant(undefined), fc.nat(40)),
    isPadded: fc.boolean(),
    what: fc.oneof(
      { weight: 8, arbitrary: heads.map((block) => frameOf(FrameType.HEADERS, block)) },
      { weight: 2, arbitrary: trailers.map((block) => frameOf(FrameType.CONTINUATION, block)) },
      { weight: 12, arbitrary: body.map((payload) => frameOf(FrameType.DATA, payload)) },
      {
        weight: 3,
        arbitrary: fc.constantFrom(1, 1000, 100_000).map((by) => frameOf(FrameType.WINDOW_UPDATE, number32(by))),
      },
      { weight: 1, arbitrary: fc.nat(14).map((code) => frameOf(FrameType.RST_STREAM, number32(code))) },
      { weight: 2, arbitrary: settings.map((payload) => frameOf(FrameType.SETTINGS, payload)) },
      { weight: 1, arbitrary: fc.constantFrom(FrameType.PING, 99, 200).map((type) => frameOf(type, Buffer.alloc(8))) },
      { weight: 1, arbitrary: fc.constant(frameOf(FrameType.PRIORITY, Buffer.alloc(5))) },
    ),
  });
type Step = ReturnType<typeof step> extends fc.Arbitrary<infer Value> ? Value : never;

/** Anything at all, anywhere. */
const foul = fc
  .tuple(
    ...[fc.nat(11), fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 0x20), fc.nat(255))],
    ...[
      fc.constantFrom(0, 1, 3, 5, 2, 99, 2 ** 31 - 1, 2 ** 32 - 1),
      fc.oneof(number, bytes(9), requests, fc.constant(Buffer.alloc(16_385))),
    ],
  )
  .map(([type, flags, id, payload]) => rawFrame(type, flags, id, payload));

/** Keeps to the protocol as long as it can: says only what the state of a stream allows. */
class FairPeer {
  readonly #isServer: boolean;
  /** Those that may still be written to; and of a server, those that have had their head. */
  readonly #open: number[];
  readonly #headed = new Set<number>();
  #nextId = 1;

  /** A server answers the streams that its client has opened. */
  constructor(answered: number) {
    this.#isServer = answered > 0;
    this.#open = Array.from({ length: answered }, (_, i) => i * 2 + 1);
  }

  write(step: Step): Buffer {
    const { type, payload } = step.what;
    if (type === FrameType.HEADERS) return this.#head(step);
    const id = this.#open[step.pick % (this.#open.length + 1)];
    if (type === FrameType.SETTINGS || type === FrameType.PING || type > 10) return rawFrame(type, 0, 0, payload);
    if (type === FrameType.WINDOW_UPDATE) return rawFrame(type, 0, id ?? 0, payload);
    if (id === undefined || !this.#headed.has(id)) return Buffer.alloc(0);
    if (type === FrameType.CONTINUATION) return this.#headers(id, step, END_STREAM);
    if (type === FrameType.RST_STREAM) this.#close(id);
    if (type !== FrameType.DATA) return rawFrame(type, 0, id, payload);
    const isEnd = step.isEnd && step.pick > 10;
    if (isEnd) this.#close(id);
    return padded(isEnd ? END_STREAM : 0, id, payload, step.isPadded);
  }

  #head(step: Step): Buffer {
    const unheaded = this.#open.filter((id) => !this.#headed.has(id));
    const id = this.#isServer ? unheaded[step.pick % Math.max(1, unheaded.length)] : this.#nextId;
    if (id === undefined) return Buffer.alloc(0);
    if (!this.#isServer) {
      this.#nextId += 2;
      this.#open.push(id);
    }
    // An informational response is one of those that go wrong here, now and then.
    this.#headed.add(id);
    return this.#headers(id, step, step.isEnd && step.pick > 15 ? END_STREAM : 0);
  }

  /** In as many frames as it takes, or one more. */
  #headers(id: number, { what, cut }: Step, end: number): Buffer {
    if (end !== 0) this.#close(id);
    const at = Math.min(cut ?? PAYLOAD_BYTES_MAX, what.payload.length);
    const [first, rest] = [what.payload.subarray(0, at), what.payload.subarray(at)];
    if (rest.length === 0) return rawFrame(FrameType.HEADERS, end | END_HEADERS, id, first);
    const pieces = [rest.subarray(0, PAYLOAD_BYTES_MAX), rest.subarray(PAYLOAD_BYTES_MAX)];
    const [second = rest, third = rest] = pieces;
    const tail = third.length > 0 ? rawFrame(FrameType.CONTINUATION, END_HEADERS, id, third) : Buffer.alloc(0);
    const middle = rawFrame(FrameType.CONTINUATION, third.length > 0 ? 0 : END_HEADERS, id, second);
    return Buffer.concat([rawFrame(FrameType.HEADERS, end, id, first), middle, tail]);
  }

  #close(id: number): void {
    this.#open.splice(this.#open.indexOf(id), 1);
  }
}

function padded(flags: number, id: number, payload: Buffer, isPadded: boolean): Buffer {
  if (!isPadded || payload.length > 1000) return rawFrame(FrameType.DATA, flags, id, payload);
  const padding = 7;
  const all = Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]);
  return rawFrame(FrameType.DATA, flags | Flag.PADDED, id, all);
}

/** A fair sequence, which often turns foul at some place. `answered`: how many streams the client opens itself. */
function frames(heads: fc.Arbitrary<Buffer>, answered: number): fc.Arbitrary<Buffer[]> {
  const fouls = fc.array(fc.tuple(fc.nat(60), foul), { maxLength: 2 });
  return fc
    .tuple(fc.array(step(heads), { minLength: 5, maxLength: 60 }), fc.boolean(), fouls)
    .map(([steps, isFair, wrong]) => {
      const peer = new FairPeer(answered);
      const all = steps.map((each) => peer.write(each)).filter((frame) => frame.length > 0);
      if (!isFair) for (const [at, frame] of wrong) all.splice(at, 0, frame);
      return all;
    });
}

export const clientFrames = frames(requests, 0);
export const serverFrames = (answered: number) => frames(responses, answered);

/** What users do. */
export type Manner =
  | 'echo'
  | 'answer'
  | 'flood'
  | 'silent'
  | 'pause'
  | 'pause-and-resume'
  | 'abort'
  | 'cancel'
  | 'late';
export const manners: fc.Arbitrary<Manner[]> = fc.array(
  fc.constantFrom('echo', 'answer', 'flood', 'silent', 'pause', 'pause-and-resume', 'abort', 'cancel', 'late'),
  { minLength: 1, maxLength: 6 },
);

const HEAD: ResponseHead = { status: 200, fields: ['x-answer', 'yes'], bodyBytes: undefined };
const FAILURE: WireFailure = { kind: 'reset', reason: 'the test gave it up' };
const FLOOD_BYTES = 100_000;
/** Their own message ends after the one that they hear, or never. */
const LISTENING: ReadonlySet<Manner> = new Set(['echo', 'pause', 'pause-and-resume']);

/** Hears one message, and keeps watch over the order in which it is told. */
export class Witness implements ResponseReceiver, RequestReceiver {
  readonly heard: string[] = [];
  readonly broken: string[] = [];
  /** It said that nothing more is wanted, or that its own message is complete. */
  hasGivenUp = false;
  hasFinished = false;
  readonly #role: 'caller' | 'app';
  readonly #manner: Manner;
  readonly #far: () => Pushed & Steering;
  #isPausing: boolean;

  constructor(role: 'caller' | 'app', manner: Manner, far: () => Pushed & Steering) {
    this.#role = role;
    this.#manner = manner;
    this.#far = far;
    this.#isPausing = manner.startsWith('pause');
  }

  /** It has been told that the exchange is over, or has said so. An exchange is over with the response. */
  get isSettled(): boolean {
    const isToldSo = this.heard.includes('abort') || this.heard.includes('cancel');
    return isToldSo || this.#hasSaidSo || (this.#role === 'caller' && this.heard.includes('end'));
  }

  get #hasSaidSo(): boolean {
    return this.hasGivenUp || (this.#role === 'app' && this.hasFinished);
  }

  informational(): void {
    this.#note('informational', !this.heard.includes('head'));
  }

  head(_head: ResponseHead): void {
    this.#note('head', !this.heard.includes('head'));
    if (this.#manner === 'cancel') this.#giveUp();
  }

  data(chunk: Buffer): Flow {
    this.#note('data', !this.heard.includes('end'));
    if (this.#manner === 'echo' && !this.hasFinished) return this.#far().data(chunk);
    if (this.#manner === 'pause-and-resume') setImmediate(() => this.#far().resume());
    return this.#isPausing ? 'pause' : 'ok';
  }

  end(trailers: Fields): void {
    this.#note('end', !this.heard.includes('end'));
    if (this.#manner === 'echo' || this.#manner === 'pause-and-resume') this.finish(trailers);
  }

  abort(): void {
    this.#note('abort', !this.heard.includes('end'));
  }

  cancel(): void {
    this.#note('cancel', this.#role === 'app' || !this.heard.includes('end'));
  }

  resume(): void {}

  /** Takes what waits for it, which may be the rest of a message that came whole. */
  goOn(): void {
    if (!this.#isPausing) return;
    this.#isPausing = false;
    this.#far().resume();
  }

  finish(trailers: Fields = []): void {
    if (this.hasFinished) return;
    this.hasFinished = true;
    this.#far().end(trailers);
  }

  /** What it does of its own accord, when the exchange begins. */
  act(begin: () => void): void {
    const far = this.#far();
    if (this.#manner === 'abort') {
      this.hasGivenUp = true;
      far.abort(FAILURE);
      return;
    }
    if (this.#manner === 'late') {
      setImmediate(() => {
        begin();
        this.finish(['x-trailer', 'yes']);
      });
      return;
    }
    if (this.#manner === 'silent') return;
    begin();
    if (this.#manner === 'flood') far.data(Buffer.alloc(FLOOD_BYTES));
    if (this.#manner === 'cancel' && this.#role === 'app') far.cancel(FAILURE);
    if (!LISTENING.has(this.#manner)) this.finish();
  }

  #giveUp(): void {
    this.hasGivenUp = true;
    this.#far().cancel(FAILURE);
  }

  #note(what: string, isInOrder: boolean): void {
    const isOver = this.heard.includes('abort') || this.heard.includes('cancel') || this.#hasSaidSo;
    if (isOver || !isInOrder) this.broken.push(`${what} after ${this.heard.join(', ')}`);
    this.heard.push(what);
  }
}

/** A server's app: each request is met in the next of these manners. */
export function appOf(all: readonly Manner[], witnesses: Witness[]): Serve {
  return (_head: RequestHead, responder: Responder) => {
    const witness = new Witness('app', all[witnesses.length % all.length] ?? 'echo', () => responder);
    witnesses.push(witness);
    witness.act(() => responder.head(HEAD));
    return witness;
  };
}
