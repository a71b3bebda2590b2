// A call between our own client and server: the same however its bytes are cut, and with one outcome wherever it is cut off.
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import type { ByteLink, ByteLinkEvents } from '../byte-link.ts';
import type { WireFailure } from '../message.ts';
import { request } from '../testing/h2c-client.ts';
import { echo } from '../testing/h2c-server.ts';
import { cutInto, linkPair } from '../testing/link-pair.ts';
import { Recorder } from '../testing/recorder.ts';
import { type Http2ClientConnection, http2Client } from './client.ts';
import { WindowBudget } from './flow.ts';
import { type Http2ServerConnection, http2Server } from './server.ts';

interface Both {
  readonly client: Http2ClientConnection;
  readonly server: Http2ServerConnection;
  readonly ends: WireFailure[];
}

function connect(links: readonly [ByteLink, ByteLink], clock = systemClock, windowBudget = new WindowBudget(0)): Both {
  const ends: WireFailure[] = [];
  const events = () => ({ closed: (failure: WireFailure) => void ends.push(failure) });
  const server = http2Server(links[1], echo, events(), { clock, windowBudget });
  const client = http2Client(links[0], events(), { clock, windowBudget });
  return { client, server, ends };
}

function call(client: Http2ClientConnection, body: Buffer): Recorder {
  const recorder = new Recorder();
  const requester = client.request(request({ method: 'POST', fields: ['x-name', 'value'] }), recorder);
  requester.data(body);
  requester.end(['x-sum', '42']);
  return recorder;
}

const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 });

test('calls are the same however their bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.array(fc.nat(40_000), { minLength: 1, maxLength: 4 }), async (cuts, lengths) => {
      const { client, server, ends } = connect(linkPair({ cut: cutInto(cuts) }));
      const bodies = lengths.map((length, index) => Buffer.alloc(length, `body ${index} `));
      const recorders = bodies.map((body) => call(client, body));
      for (const [index, recorder] of recorders.entries()) {
        expect(await recorder.outcome()).toEqual({ kind: 'end', trailers: ['x-sum', '42'] });
        expect(Buffer.concat(recorder.chunks).equals(bodies[index] ?? Buffer.alloc(1))).toBe(true);
        expect(recorder.heads).toHaveLength(1);
      }
      expect([client.streamCount, server.streamCount]).toEqual([0, 0]);
      client.drain();
      await expect.poll(() => ends.length).toBe(2);
    }),
    { numRuns: 60 },
  );
});

/** How many bytes a call takes, each way. */
async function bytesOfCall(): Promise<readonly [number, number]> {
  const links = linkPair();
  const { client } = connect(links);
  await call(client, Buffer.from('hello')).outcome();
  await nextTurn();
  const [up, down] = links.map(({ written }) => written.reduce((sum, { length }) => sum + length, 0));
  client.destroy({ kind: 'closed', reason: 'over' });
  return [up ?? 0, down ?? 0];
}

/** Passes so many bytes, and then breaks the connection or hangs up. */
class CutLink implements ByteLink {
  readonly #link: ByteLink;
  readonly #how: 'break' | 'hang-up';
  #left: number;

  constructor(link: ByteLink, bytes: number, how: 'break' | 'hang-up') {
    this.#link = link;
    this.#left = bytes;
    this.#how = how;
  }

  write(bytes: Buffer): boolean {
    if (this.#left === 0) return true;
    const passed = bytes.subarray(0, this.#left);
    this.#left -= passed.length;
    const isOpen = this.#link.write(passed);
    if (this.#left === 0 && this.#how === 'break') setImmediate(() => this.#link.destroy());
    else if (this.#left === 0) this.#link.end();
    return isOpen;
  }

  end = () => this.#link.end();
  pause = () => this.#link.pause();
  resume = () => this.#link.resume();
  destroy = () => this.#link.destroy();
  listen = (events: ByteLinkEvents) => this.#link.listen(events);
}

test('a call that is cut off after any byte, either way, has one outcome, and nothing is left', async () => {
  const [up, down] = await bytesOfCall();
  const hows = ['break', 'hang-up'] as const;
  const places = [up, down].flatMap((bytes, end) =>
    Array.from({ length: bytes }, (_, at) => hows.map((how) => ({ end, at: at + 1, how }))).flat(),
  );
  for (const { end, at, how } of places) {
    const clock = manualClock();
    const budget = new WindowBudget(1000);
    const links = linkPair();
    const [near, far] = links.map((link, index) => (index === end ? new CutLink(link, at, how) : link));
    if (near === undefined || far === undefined) throw new Error('a pair has two ends');
    const { client, server, ends } = connect([near, far], clock, budget);
    const recorder = call(client, Buffer.from('hello'));
    while (ends.length < 2) await nextTurn();
    expect(recorder.outcomes, `${how} after ${at} bytes of end ${end}`).toHaveLength(1);
    expect([client.streamCount, server.streamCount, budget.leftBytes, clock.waiting()]).toEqual([0, 0, 1000, []]);
  }
});
