// When an app counts as healthy, and how often it is asked.
import { beforeEach, expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { AppHealth } from './health.ts';

const CONFIG = { path: '/healthz', intervalMs: 5000, timeoutMs: 500, threshold: 3 };

let clock: ReturnType<typeof manualClock>;
/** One for each question, in order. */
let asked: { readonly answered: (problem: string | undefined) => void; isCancelled: boolean }[];
let heard: string[];
let health: AppHealth;

beforeEach(() => {
  clock = manualClock();
  asked = [];
  heard = [];
  const ask = (answered: (problem: string | undefined) => void) => {
    const question = { answered, isCancelled: false };
    asked.push(question);
    return () => {
      question.isCancelled = true;
    };
  };
  health = new AppHealth(CONFIG, ask, clock, () => undefined);
  health.state.changed((state) => heard.push(state.kind === 'healthy' ? 'healthy' : state.why));
});

/** The open question is answered, and the next is asked. */
function answer(problem: string | undefined): void {
  asked.at(-1)?.answered(problem);
  clock.advance(CONFIG.intervalMs);
}

test('at first it is unhealthy, and one good answer makes it healthy', () => {
  expect(health.state.current().kind).toBe('unhealthy');
  health.start();
  asked[0]?.answered(undefined);
  expect([health.state.current(), heard]).toEqual([{ kind: 'healthy' }, ['healthy']]);
});

test('only as many bad answers in a row as the threshold make it unhealthy, and one good one brings it back', () => {
  health.start();
  for (const problem of [undefined, 'bad', 'bad', undefined, 'bad', 'bad', 'worse', 'worst', undefined])
    answer(problem);
  expect(heard).toEqual(['healthy', 'worse', 'worst', 'healthy']);
});

test('it is asked once in an interval, counted from question to question', () => {
  health.start();
  answer(undefined);
  expect(asked).toHaveLength(2);
  clock.advance(200);
  asked[1]?.answered(undefined);
  clock.advance(4799);
  expect(asked).toHaveLength(2);
  clock.advance(1);
  expect(asked).toHaveLength(3);
});

test('until its first good answer it is asked each second', () => {
  health.start();
  for (let second = 1; second <= 3; second++) {
    asked.at(-1)?.answered('starting');
    clock.advance(1000);
    expect(asked).toHaveLength(second + 1);
  }
});

test('no answer in time is a bad one, and what comes later counts for nothing', () => {
  health.start();
  clock.advance(500);
  expect([asked[0]?.isCancelled, heard]).toEqual([true, ['it did not answer within 500 ms']]);
  asked[0]?.answered(undefined);
  expect(health.state.current().kind).toBe('unhealthy');
});

test('once it is stopped nobody asks, and nothing waits', () => {
  health.start();
  health.start();
  expect(asked).toHaveLength(1);
  health.stop();
  expect([asked[0]?.isCancelled, clock.waiting()]).toEqual([true, []]);
  asked[0]?.answered(undefined);
  expect(heard).toEqual([]);
});
