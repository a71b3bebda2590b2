// Locks among those who are alive, and those left behind by the dead.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pid } from 'node:process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clock, systemClock } from './clock.ts';
import { breakIfStale, withLock } from './lock.ts';
import { ok } from './result.ts';
import { processes } from './testing/processes.ts';

const tools = { clock: systemClock, processes };
const ownStartTime = processes.startTime(pid) ?? '';

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'invoke-lock-'));
  path = join(directory, 'lock');
});
afterEach(() => rmSync(directory, { recursive: true }));

function holder(changed: { pid?: number; host?: string; startTime?: string } = {}): string {
  const held = { pid, host: hostname(), startTime: ownStartTime, ...changed };
  return `${held.pid} ${held.host} ${held.startTime}\n`;
}

/** As a process wrote it that was, and is no more. */
async function deadHolder(host = hostname()): Promise<string> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const dead = { pid: child.pid ?? 0, host, startTime: processes.startTime(child.pid ?? 0) ?? '' };
  child.kill('SIGKILL');
  await once(child, 'close');
  return holder(dead);
}

/** Five that want the lock at once; `most` says how many of them were inside together. */
async function contend() {
  let inside = 0;
  let most = 0;
  const tasks = Array.from({ length: 5 }, () =>
    withLock(path, tools, async () => {
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      inside--;
      return ok(undefined);
    }),
  );
  const outcomes = await Promise.all(tasks);
  return { done: outcomes.filter((outcome) => outcome.ok).length, most };
}

test('one at a time, and nothing is left behind', async () => {
  expect(await contend()).toEqual({ done: 5, most: 1 });
  expect(readdirSync(directory)).toEqual([]);
});

test('the file says who holds it', async () => {
  await withLock(path, tools, async () => {
    expect(readFileSync(path, 'utf8')).toBe(holder());
    return ok(undefined);
  });
});

test('the lock is given back when the task throws', async () => {
  await expect(withLock(path, tools, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(existsSync(path)).toBe(false);
});

test.each([
  ['a dead process', () => deadHolder()],
  ['a dead process whose number another one has now', () => holder({ startTime: `${ownStartTime}1` })],
])('the lock of %s is broken, by one of those who wait', async (_says, content) => {
  writeFileSync(path, await content());
  expect(await contend()).toEqual({ done: 5, most: 1 });
  expect(readdirSync(directory)).toEqual([]);
});

test.each([
  ['a process that lives', () => holder()],
  ['a process of another machine', () => deadHolder('elsewhere')],
  ['who knows whom', () => 'garbage\n'],
])('the lock of %s is not broken', async (_says, content) => {
  writeFileSync(path, await content());
  await breakIfStale(path, processes);
  expect(readdirSync(directory)).toEqual(['lock']);
});

test('nor is one broken while somebody else is breaking it', async () => {
  writeFileSync(path, await deadHolder());
  writeFileSync(`${path}.breaking`, holder());
  await breakIfStale(path, processes);
  expect(readdirSync(directory).sort()).toEqual(['lock', 'lock.breaking']);
});

/** Every wait is over at once, and takes its time by this clock; `waited` hears of it. */
function hurried(waited: () => void = () => undefined): Clock {
  let nowMs = 0;
  return {
    now: () => nowMs,
    elapsed: () => nowMs,
    after(delayMs, task) {
      nowMs += delayMs;
      waited();
      setImmediate(task);
      return () => undefined;
    },
  };
}

test('a lock that is held is waited for', async () => {
  writeFileSync(path, holder());
  let waits = 0;
  const clock = hurried(() => ++waits === 50 && rmSync(path));
  expect(await withLock(path, { clock, processes }, async () => ok(waits))).toEqual(ok(50));
});

test('one that is held for ten seconds is given up, with the name of its holder', async () => {
  writeFileSync(path, holder());
  const outcome = await withLock(path, { clock: hurried(), processes }, () => expect.fail('it was held'));
  expect(outcome).toEqual({
    ok: false,
    error: `${path} has been held for 10 s by process ${pid} on ${hostname()}; if it is gone, remove the file`,
  });
  expect(readFileSync(path, 'utf8')).toBe(holder());
});
