// The clock of the platform: long waits stay long, what is taken back never runs, and no wait keeps a process alive.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { every, sleep, systemClock, within } from './clock.ts';
import { manualClock } from './testing/clock.ts';

const DAY_MS = 86_400_000;

describe('on simulated timers', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('now and elapsed go on with time', () => {
    const [now, elapsed] = [systemClock.now(), systemClock.elapsed()];
    vi.advanceTimersByTime(1500);
    expect([systemClock.now() - now, systemClock.elapsed() - elapsed]).toEqual([1500, 1500]);
  });

  test.each([1, 2 ** 31 - 1, 2 ** 31, 60 * DAY_MS])('a task runs once, %d ms from now and not before', (delayMs) => {
    const task = vi.fn();
    systemClock.after(delayMs, task);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(delayMs - 1);
    expect(task).toHaveBeenCalledTimes(0);
    vi.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(delayMs * 2);
    expect(task).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a delay that is over already is as short as can be', () => {
    const task = vi.fn();
    systemClock.after(-1000, task);
    vi.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
  });

  test('a task for never does not run', () => {
    const task = vi.fn();
    const cancel = systemClock.after(Number.POSITIVE_INFINITY, task);
    vi.advanceTimersByTime(60 * DAY_MS);
    expect(task).not.toHaveBeenCalled();
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([0, 30 * DAY_MS])('a long task taken back after %d ms never runs and leaves no timer', (afterMs) => {
    const task = vi.fn();
    const cancel = systemClock.after(60 * DAY_MS, task);
    vi.advanceTimersByTime(afterMs);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(60 * DAY_MS);
    expect(task).not.toHaveBeenCalled();
  });

  test('taking back what has run is harmless', () => {
    const cancel = systemClock.after(1, () => undefined);
    vi.advanceTimersByTime(1);
    cancel();
  });

  test('every period a task runs, until it is cancelled', () => {
    const task = vi.fn();
    const cancel = every(systemClock, 100, task);
    vi.advanceTimersByTime(99);
    expect(task).toHaveBeenCalledTimes(0);
    vi.advanceTimersByTime(901);
    expect(task).toHaveBeenCalledTimes(10);
    cancel();
    vi.advanceTimersByTime(1000);
    expect(task).toHaveBeenCalledTimes(10);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a periodic task may cancel itself', () => {
    const task = vi.fn(() => cancel());
    const cancel = every(systemClock, 100, task);
    vi.advanceTimersByTime(1000);
    expect(task).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('work with a limit of time', () => {
  test('comes to what it came to, and leaves no wait behind', async () => {
    const clock = manualClock();
    expect(await within(clock, 100, Promise.resolve('done'), 'late')).toBe('done');
    await expect(within(clock, 100, Promise.reject(new Error('broken')), 'late')).rejects.toThrow('broken');
    expect(clock.waiting()).toEqual([]);
  });

  test('is late when the time is over, however it ends then', async () => {
    const clock = manualClock();
    const { promise, reject } = Promise.withResolvers<string>();
    const outcome = within(clock, 100, promise, 'late');
    clock.advance(100);
    expect(await outcome).toBe('late');
    reject(new Error('too late to matter'));
  });
});

test('a sleep ends when its time is over and not before', async () => {
  const clock = manualClock();
  let isOver = false;
  const slept = sleep(clock, 100).then(() => {
    isOver = true;
  });
  clock.advance(99);
  await Promise.resolve();
  expect(isOver).toBe(false);
  clock.advance(1);
  await slept;
});

test('a process with nothing but waits ends', async () => {
  const clock = JSON.stringify(new URL('./clock.ts', import.meta.url).href);
  const program = `
    const { every, systemClock } = await import(${clock});
    systemClock.after(3_600_000, () => undefined);
    every(systemClock, 3_600_000, () => undefined);
    console.log('waiting');
  `;
  const ended = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    timeout: 20_000,
  });
  expect(ended.stdout).toBe('waiting\n');
});
