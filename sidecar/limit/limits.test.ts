// What the limits of a Resiliency let in, on a clock that stands still: who waits, for how long, what they are told; and that an edit
// forgets neither who is inside nor what callers have used up.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Call } from '../../api/call.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { compileInbound } from '../../policy/resiliency/inbound.ts';
import { resiliency } from '../contract/testing-resiliency.ts';
import { AppSide, callerSide, callTo } from '../testing/ends.ts';
import { identityOf } from '../testing/mesh.ts';
import { Limits } from './limits.ts';

const gone = fault('cancelled', 'the caller has gone');

let clock: ManualClock;
let limits: Limits;
let app: AppSide;
let turnedAway: string[];
let limitTold: (number | undefined)[];
let waiting: number;
/** Ends one of those that were under way before anybody counted. */
let earlierEnds: () => void;
let earlier: number;

beforeEach(() => {
  clock = manualClock();
  app = new AppSide();
  turnedAway = [];
  limitTold = [];
  [waiting, earlier] = [0, 0];
  limits = new Limits({
    clock,
    random: () => 0,
    watch: {
      turnedAway: (why) => turnedAway.push(why),
      limitIs: (limit) => limitTold.push(limit),
      waiting: (count) => {
        waiting = count;
      },
    },
    underWay(ended) {
      earlierEnds = ended;
      return earlier;
    },
  });
});

function says(inbound: object): void {
  limits.use(compileInbound(identityOf('shop'), [resiliency({ inbound })]));
}

function open(path: string, more: Partial<Pick<Call, 'caller' | 'deadlineMs'>> = {}) {
  const heard: string[] = [];
  const faults: Fault[] = [];
  const end = callerSide(heard);
  const abort = (reason: Fault) => {
    faults.push(reason);
    end.abort(reason);
  };
  const reply = { ...end, abort };
  const call = callTo(path, more);
  const request = limits.admission?.open(call, reply, app.open) ?? app.open(call, reply);
  return { heard, faults, request };
}

const opened = (...paths: readonly string[]) => paths.map((path) => open(path));
const heardBy = (calls: readonly { readonly heard: string[] }[]) => calls.map(({ heard }) => heard.join());

test('where nothing is said of calls to the app, there is nothing to ask', () => {
  says({});
  expect(limits.admission).toBe(undefined);
  says({ rateLimits: [{ requests: 1 }] });
  expect(limits.admission).toBeDefined();
  says({});
  expect(limits.admission).toBe(undefined);
});

describe('so many at once', () => {
  test('and so many more that wait; the next is turned away, and the app hears nothing of it', () => {
    says({ limits: { maxInFlight: 1, queueSize: 1 } });
    const calls = opened('/1', '/2', '/3');
    expect(heardBy(calls)).toEqual(['', '', 'abort app-busy']);
    expect(calls[2]?.faults).toMatchObject([{ retryAfterSec: 1, message: expect.stringContaining('takes 1 at once') }]);
    app.answer(0);
    expect([app.paths, turnedAway, waiting]).toEqual([['/1', '/2'], ['no-room'], 0]);
  });

  test('without a queue nobody waits', () => {
    says({ limits: { maxInFlight: 1 } });
    expect(heardBy(opened('/1', '/2'))).toEqual(['', 'abort app-busy']);
  });

  test('who waits for longer than may be is turned away', () => {
    says({ limits: { maxInFlight: 1, queueSize: 2, queueTimeout: '100ms' } });
    const [, second] = opened('/1', '/2');
    clock.advance(99);
    expect(second?.heard).toEqual([]);
    clock.advance(1);
    expect(second?.heard).toEqual(['abort app-busy']);
    app.answer(0);
    expect([app.paths, turnedAway, clock.waiting()]).toEqual([['/1'], ['waited-too-long'], []]);
  });

  test('a deadline that passes in the queue is a timeout', () => {
    says({ limits: { maxInFlight: 1, queueSize: 2, queueTimeout: '1s' } });
    open('/1');
    const late = open('/2', { deadlineMs: clock.elapsed() + 50 });
    clock.advance(50);
    expect(late.faults).toMatchObject([{ code: 'timeout', message: expect.stringContaining('Nothing reached') }]);
    expect([turnedAway, clock.waiting()]).toEqual([['past-deadline'], []]);
  });

  test.each(['cancel', 'abort'] as const)('who goes away while waiting (%s) leaves the place to the next', (how) => {
    says({ limits: { maxInFlight: 1, queueSize: 2 } });
    const [, second] = opened('/1', '/2', '/3');
    second?.request[how](gone);
    app.answer(0);
    expect([app.paths, waiting, clock.waiting()]).toEqual([['/1', '/3'], 0, []]);
  });
});

describe('an edit', () => {
  test('that lowers the limit turns nobody out, and lets nobody in until enough have left', () => {
    says({ limits: { maxInFlight: 3, queueSize: 1 } });
    opened('/1', '/2', '/3');
    says({ limits: { maxInFlight: 2, queueSize: 1 } });
    opened('/4');
    app.answer(0);
    expect(app.paths).toEqual(['/1', '/2', '/3']);
    app.answer(1);
    expect(app.paths).toEqual(['/1', '/2', '/3', '/4']);
    expect(limitTold).toEqual([3, 2]);
  });

  test('that raises it, or takes it away, lets in who waits', () => {
    says({ limits: { maxInFlight: 1, queueSize: 4 } });
    opened('/1', '/2', '/3');
    says({ limits: { maxInFlight: 2, queueSize: 4 } });
    expect(app.paths).toEqual(['/1', '/2']);
    says({});
    expect([app.paths, limitTold, clock.waiting()]).toEqual([['/1', '/2', '/3'], [1, 2, undefined], []]);
  });

  test('that brings the first limit counts who is inside already, until they end', () => {
    earlier = 2;
    says({ limits: { maxInFlight: 2, queueSize: 1 } });
    const [waiter] = opened('/1');
    expect(app.paths).toEqual([]);
    earlierEnds();
    expect([app.paths, waiter?.heard]).toEqual([['/1'], []]);
    expect(heardBy(opened('/2', '/3'))).toEqual(['', 'abort app-busy']);
  });

  test('of something else leaves callers what they have used up, and gives of a new rate only what is left', () => {
    says({ rateLimits: [{ requests: 10, per: '10s' }] });
    expect(heardBy(Array.from({ length: 11 }, () => open('/x'))).at(-1)).toBe('abort rate-limited');
    says({ rateLimits: [{ requests: 10, per: '10s' }], limits: { maxInFlight: 100 } });
    expect(heardBy(opened('/x'))).toEqual(['abort rate-limited']);
    says({ rateLimits: [{ requests: 12, per: '10s' }] });
    expect(heardBy(opened('/x', '/x', '/x'))).toEqual(['', '', 'abort rate-limited']);
  });
});

describe('so often', () => {
  const front = identityOf('web', 'front');

  test('each caller by itself, and by its rule; who comes too often is told when to come', () => {
    says({
      rateLimits: [
        { from: [{ namespace: 'front' }], requests: 1, per: '1m' },
        { requests: 2, per: '1s' },
      ],
    });
    expect(heardBy([open('/1', { caller: front }), open('/2', { caller: front })])).toEqual(['', 'abort rate-limited']);
    expect(heardBy(opened('/3', '/4', '/5'))).toEqual(['', '', 'abort rate-limited']);
    const { faults } = open('/6', { caller: front });
    expect(faults).toMatchObject([{ retryAfterSec: 60, message: expect.stringContaining('web.front calls shop') }]);
    clock.advance(60_000);
    expect(heardBy([open('/7', { caller: front })])).toEqual(['']);
    expect(app.paths).toEqual(['/1', '/3', '/4', '/7']);
    expect(turnedAway).toEqual(['rate', 'rate', 'rate']);
  });

  test('who comes too often takes no room', () => {
    says({ rateLimits: [{ requests: 1, per: '1m' }], limits: { maxInFlight: 2 } });
    opened('/1', '/2', '/3');
    expect(heardBy([open('/4', { caller: front })])).toEqual(['']);
  });
});

describe('as many as the app bears', () => {
  /** So many calls at once, answered after so long; the last number is that of the next call. */
  function load(calls: number, tookMs: number, from = app.calls.length): void {
    for (let number = 0; number < calls; number++) open('/x').request.end([]);
    clock.advance(tookMs);
    for (let number = from; number < app.calls.length; number++) app.answer(number);
  }

  test('rises while it answers as fast as it can, and falls as it slows down; never beyond what was said', () => {
    says({ shedding: 'gradient', limits: { maxInFlight: 60 } });
    for (let turn = 0; turn < 30; turn++) load(60, 200);
    expect(limitTold.at(-1)).toBe(60);
    for (let turn = 0; turn < 30; turn++) load(60, 2000);
    expect(limitTold.at(-1)).toBeLessThan(20);
    expect(turnedAway.length).toBeGreaterThan(100);
  });

  test('is not what slow callers make of it', () => {
    says({ shedding: 'gradient' });
    for (let turn = 0; turn < 10; turn++) load(50, 200);
    const before = limitTold.at(-1);
    for (let turn = 0; turn < 30; turn++) {
      const from = app.calls.length;
      const calls = Array.from({ length: 40 }, () => open('/slow'));
      clock.advance(5000);
      for (const { request } of calls) request.end([]);
      clock.advance(200);
      for (let number = from; number < app.calls.length; number++) app.answer(number);
    }
    expect(limitTold.at(-1)).toBeGreaterThanOrEqual(before ?? Number.POSITIVE_INFINITY);
  });

  test('is not what failures that come fast make of it', () => {
    says({ shedding: 'gradient' });
    for (let turn = 0; turn < 10; turn++) {
      for (let number = 0; number < 30; number++) {
        open('/x').request.end([]);
        app.answer(app.calls.length - 1, 500);
      }
      load(50, 200);
    }
    expect(limitTold.at(-1)).toBeGreaterThanOrEqual(50);
  });

  test('is kept by an edit, as far as the edit lets it', () => {
    says({ shedding: 'gradient' });
    for (let turn = 0; turn < 10; turn++) load(50, 200);
    const found = limitTold.at(-1) ?? 0;
    expect(found).toBeGreaterThan(50);
    says({ shedding: 'gradient', limits: { maxInFlight: 1000, queueSize: 1 } });
    expect(limitTold.at(-1)).toBe(found);
    says({ shedding: 'gradient', limits: { maxInFlight: 10 } });
    expect(limitTold.at(-1)).toBe(10);
  });
});
