// Work by key: never twice at once, never forgotten, and ever more patient with what fails.
import { beforeEach, expect, test } from 'vitest';
import { createLog, silentLog } from '../kit/log.ts';
import { type ManualClock, manualClock } from '../kit/testing/clock.ts';
import { type Handled, type WorkQueue, type WorkQueueOptions, workQueue } from './queue.ts';

interface Job {
  readonly key: string;
  end(handled: Handled): void;
  fail(error: Error): void;
}

let clock: ManualClock;
/** What is under way. */
let jobs: Job[];
let begun: string[];

beforeEach(() => {
  clock = manualClock();
  jobs = [];
  begun = [];
});

function start(options: Partial<WorkQueueOptions> = {}, log = silentLog): WorkQueue {
  const handle = (key: string) => {
    begun.push(key);
    return new Promise<Handled>((end, fail) => jobs.push({ key, end, fail }));
  };
  return workQueue({ name: 'work', concurrency: 2, handle, ...options }, { clock, random: () => 0, log });
}

/** Ends the job that began first, and lets the queue go on. */
async function end(handled: Handled = 'done'): Promise<void> {
  jobs.shift()?.end(handled);
  await settled();
}
const settled = () => new Promise((resolve) => setImmediate(resolve));
const FAILURE = { kind: 'unavailable', message: 'no answer' } as const;

test('a key that is added many times is worked on once', async () => {
  const queue = start({ concurrency: 1 });
  for (const key of ['a', 'b', 'b', 'c', 'b']) queue.add(key);
  for (let n = 0; n < 3; n += 1) await end();
  await queue.idle();
  expect(begun).toEqual(['a', 'b', 'c']);
});

test('a key that is added while it is worked on is worked on once more, and not at the same time', async () => {
  const queue = start();
  queue.add('a');
  queue.add('a');
  queue.add('a');
  expect(begun).toEqual(['a']);
  await end();
  expect(begun).toEqual(['a', 'a']);
  await end();
  await queue.idle();
  expect(begun).toEqual(['a', 'a']);
});

test('no more than so many are worked on at a time', async () => {
  const queue = start({ concurrency: 2 });
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
  expect(begun).toEqual(['a', 'b']);
  await end();
  expect(begun).toEqual(['a', 'b', 'c']);
});

test('what fails comes back after waits that double, until it succeeds', async () => {
  const queue = start({ backoff: { baseMs: 200, maxMs: 1000 } });
  queue.add('a');
  const waits: number[] = [];
  for (let n = 0; n < 5; n += 1) {
    await end(FAILURE);
    waits.push(...clock.waiting());
    clock.advance(clock.waiting()[0] ?? 0);
  }
  expect(waits).toEqual([100, 200, 400, 500, 500]);
  await end('done');
  queue.add('a');
  await end(FAILURE);
  expect(clock.waiting()).toEqual([100]);
});

test('a change to what waits after a failure is worked on at once, and another failure waits longer', async () => {
  const queue = start();
  queue.add('a');
  await end(FAILURE);
  queue.add('a');
  expect(begun).toEqual(['a', 'a']);
  expect(clock.waiting()).toEqual([]);
  await end(FAILURE);
  expect(clock.waiting()).toEqual([200]);
});

test('what asks to be looked at again is, at its time', async () => {
  const queue = start();
  queue.add('a');
  await end({ retryAfterMs: 5000 });
  await queue.idle();
  clock.advance(4999);
  expect(begun).toEqual(['a']);
  clock.advance(1);
  expect(begun).toEqual(['a', 'a']);
});

test('a handler that throws is a failure with a line in the log', async () => {
  const lines: string[] = [];
  const queue = start(
    {},
    createLog({ level: 'warn', format: 'text', write: (line) => lines.push(line), now: () => 0 }),
  );
  queue.add('a');
  jobs.shift()?.fail(new Error('oh'));
  await queue.idle();
  expect(lines.join()).toMatch(/work failed and is tried again key=a failures=1 error="a bug: oh"/);
  expect(clock.waiting()).toEqual([100]);
});

test('the end waits for what is under way, and begins nothing', async () => {
  const queue = start({ concurrency: 1 });
  queue.add('a');
  queue.add('b');
  queue.add('a');
  let isStopped = false;
  const stopped = queue.stop().then(() => {
    isStopped = true;
  });
  queue.add('c');
  await settled();
  expect(isStopped).toBe(false);
  await end(FAILURE);
  await stopped;
  expect(begun).toEqual(['a']);
  expect(clock.waiting()).toEqual([]);
});
