// Random sequences of frames, at both ends: whatever comes, a connection answers or ends, tells its owner once, tells everybody
// who has an exchange on it once, and leaves nothing behind: no stream, no timer, no part of the window budget.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { runs } from '../../kit/testing/runs.ts';
import type { RequestHead, WireFailure } from '../message.ts';
import { cutInto, linkPair } from '../testing/link-pair.ts';
import { appOf, clientFrames, type Manner, manners, serverFrames, Witness } from '../testing/random-frames.ts';
import { opening, type RawFrame, RawPeer, rawFrame, settings } from '../testing/raw-frames.ts';
import { http2Client } from './client.ts';
import type { Http2Connection } from './connection.ts';
import { WindowBudget } from './flow.ts';
import { Flag, FrameType } from './protocol.ts';
import { http2Server } from './server.ts';

const BUDGET_BYTES = 300_000;
const STREAMS_MAX = 4;
/** So many turns of the loop without an answer are a hang. */
const TURNS_MAX = 20_000;
const PROBE = rawFrame(FrameType.PING, 0, 0, Buffer.from('are you?', 'latin1'));

/** A few crumbs, and then the rest of a frame. */
const cuts = fc.array(fc.constantFrom(1, 2, 7, 9, 100, 5000), { maxLength: 5 }).map((sizes) => [...sizes, 100_000]);
const finale = fc.constantFrom('hang-up', 'break', 'drain', 'destroy');
type Finale = 'hang-up' | 'break' | 'drain' | 'destroy';

/** One end under test, and what stands around it. */
class Bench {
  readonly clock = manualClock();
  readonly budget = new WindowBudget(BUDGET_BYTES);
  readonly ends: WireFailure[] = [];
  readonly witnesses: Witness[] = [];
  readonly peer: RawPeer;
  readonly #near;
  readonly #far;

  constructor(sizes: readonly number[], isServerPeer: boolean) {
    [this.#near, this.#far] = linkPair({ cut: cutInto(sizes) });
    this.peer = new RawPeer(this.#far, isServerPeer);
  }

  get link() {
    return this.#near;
  }

  get events() {
    return { closed: (failure: WireFailure) => void this.ends.push(failure) };
  }

  get options() {
    return { clock: this.clock, windowBudget: this.budget, streamsMax: STREAMS_MAX };
  }

  /** Sends the frames and asks for a sign of life: an answer, or the end. */
  async run(connection: Http2Connection, frames: readonly Buffer[], last: Finale): Promise<void> {
    for (const frame of frames) this.peer.send(frame);
    this.peer.send(PROBE);
    await turnsUntil(() => this.isAnswered());
    if (last === 'hang-up') this.#far.end();
    else if (last === 'break') this.#far.destroy();
    else if (last === 'destroy') connection.destroy({ kind: 'closed', reason: 'the test is over' });
    else {
      connection.drain();
      this.peer.send(rawFrame(FrameType.PING, Flag.ACK, 0, Buffer.alloc(8)));
      await turnsUntil(() => true);
      this.#far.end();
    }
    await turnsUntil(() => this.ends.length > 0 && this.#near.isClosed && this.#far.isClosed);
    await turnsUntil(() => true);
  }

  isAnswered(): boolean {
    const isSign = ({ type, payload }: (typeof this.peer.frames)[number]) =>
      type === FrameType.GOAWAY || (type === FrameType.PING && payload.equals(PROBE.subarray(9)));
    return this.peer.isClosed || this.ends.length > 0 || this.peer.frames.some(isSign);
  }

  expectNothingLeft(connection: Http2Connection): void {
    for (const witness of this.witnesses) witness.goOn();
    expect(this.ends).toHaveLength(1);
    expect(connection.streamCount).toBe(0);
    expect(this.budget.leftBytes).toBe(BUDGET_BYTES);
    expect(this.clock.waiting()).toEqual([]);
    expect(this.witnesses.flatMap(({ broken }) => broken)).toEqual([]);
    expect(this.witnesses.filter(({ isSettled }) => !isSettled).map(({ heard }) => heard)).toEqual([]);
  }
}

test('a server answers or ends whatever a client sends, and leaves nothing behind', async () => {
  await fc.assert(
    fc.asyncProperty(clientFrames, manners, cuts, finale, async (frames, all, sizes, last) => {
      const bench = new Bench(sizes, false);
      const app = appOf(all, bench.witnesses);
      const connection = http2Server(bench.link, app, bench.events, bench.options);
      await bench.run(connection, [opening(), ...frames], last);
      bench.expectNothingLeft(connection);
      expectFairFrames(bench.peer.frames, frames);
    }),
    runs(400),
  );
});

test('a client answers or ends whatever a server sends, and leaves nothing behind', async () => {
  const answers = manners.chain((all) => fc.tuple(fc.constant(all), serverFrames(Math.min(all.length, STREAMS_MAX))));
  await fc.assert(
    fc.asyncProperty(answers, cuts, finale, async ([all, frames], sizes, last) => {
      const bench = new Bench(sizes, true);
      const connection = http2Client(bench.link, bench.events, bench.options);
      for (const manner of all) bench.witnesses.push(call(connection, manner));
      await bench.run(connection, [settings(), ...frames], last);
      bench.expectNothingLeft(connection);
      expectFairFrames(bench.peer.frames, frames);
    }),
    runs(400),
  );
});

test('bytes that are damaged on the way end a connection or change nothing, and leave nothing behind', async () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(clientFrames, damage, manners, cuts, async (frames, spots, all, sizes) => {
      const bytes = Buffer.concat([opening(), ...frames]);
      for (const [at, value] of spots) bytes[at % bytes.length] = value;
      const bench = new Bench(sizes, false);
      const connection = http2Server(bench.link, appOf(all, bench.witnesses), bench.events, bench.options);
      bench.peer.send(bytes);
      // A length that was damaged may wait for bytes that never come: no sign of life is asked for.
      connection.drain();
      let turns = 0;
      await turnsUntil(() => ++turns > 50);
      connection.destroy({ kind: 'closed', reason: 'the test is over' });
      await turnsUntil(() => bench.ends.length > 0);
      await turnsUntil(() => true);
      bench.expectNothingLeft(connection);
    }),
    runs(200),
  );
});

/** A stream that was ended or reset is not written to again, and no more DATA goes out than was let in. */
function expectFairFrames(written: readonly RawFrame[], sent: readonly Buffer[]): void {
  const over = new Map<number, 'ended' | 'reset'>();
  const late = written.filter(({ type, flags, id }) => {
    const before = over.get(id);
    const isMessage = type === FrameType.DATA || type === FrameType.HEADERS;
    if (type === FrameType.RST_STREAM) over.set(id, 'reset');
    else if (isMessage && (flags & Flag.END_STREAM) !== 0) over.set(id, 'ended');
    return before === 'reset' || (before === 'ended' && isMessage);
  });
  expect(late).toEqual([]);
  const told = sent.flatMap(framesIn);
  const data = written.filter(({ type }) => type === FrameType.DATA);
  for (const id of new Set([0, ...data.map((frame) => frame.id)])) {
    const out = data
      .filter((frame) => id === 0 || frame.id === id)
      .reduce((sum, { payload }) => sum + payload.length, 0);
    expect(out).toBeLessThanOrEqual(windowOf(id, told));
  }
}

/** The widest that it can ever have been: what was opened at first, and all that was added. */
function windowOf(id: number, told: readonly RawFrame[]): number {
  const initial = told
    .filter(({ type, payload }) => id !== 0 && type === FrameType.SETTINGS && payload.length % 6 === 0)
    .flatMap(({ payload }) => Array.from({ length: payload.length / 6 }, (_, i) => payload.subarray(i * 6, i * 6 + 6)))
    .map((entry) => (entry.readUInt16BE(0) === 4 ? entry.readUInt32BE(2) : 0));
  const added = told.filter((frame) => frame.type === FrameType.WINDOW_UPDATE && frame.id === id);
  const credits = added.map(({ payload }) => (payload.length === 4 ? payload.readUInt32BE(0) : 0));
  return credits.reduce((sum, credit) => sum + credit, Math.max(65_535, ...initial));
}

function framesIn(bytes: Buffer): RawFrame[] {
  const frames: RawFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    const [type, flags, id] = [bytes.readUInt8(at + 3), bytes.readUInt8(at + 4), bytes.readUInt32BE(at + 5)];
    frames.push({ type, flags, id, payload: bytes.subarray(at + 9, end) });
    at = end;
  }
  return frames;
}

function call(connection: ReturnType<typeof http2Client>, manner: Manner): Witness {
  const head: RequestHead = {
    ...{ method: 'POST', target: '/', authority: 'a', scheme: 'http', fields: [], bodyBytes: undefined },
    ...{ upgrade: undefined, expectsContinue: false },
  };
  const witness: Witness = new Witness('caller', manner, () => requester);
  const requester = connection.request(head, witness);
  witness.act(() => undefined);
  return witness;
}

/** Turns of the event loop, and not time: a machine that is busy changes nothing. */
async function turnsUntil(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    await new Promise(setImmediate);
    if (turn >= 3 && isSo()) return;
  }
  throw new Error('it hangs');
}
