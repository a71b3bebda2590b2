// Locks among those who are alive, and those left behind by the dead.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ok } from '../../kit/result.ts';
import { breakIfStale, withLock } from './lock.ts';

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'invoke-lock-'));
  path = join(directory, 'lock');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The id of a process that was, and is no more. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  await once(child, 'close');
  return child.pid ?? 0;
}

test('one at a time, and nothing is left behind', async () => {
  let inside = 0;
  const most: number[] = [];
  const tasks = Array.from({ length: 5 }, () =>
    withLock(path, async () => {
      most.push(++inside);
      await new Promise(setImmediate);
      inside--;
      return ok(undefined);
    }),
  );
  await Promise.all(tasks);
  expect(most).toEqual([1, 1, 1, 1, 1]);
  expect(readdirSync(directory)).toEqual([]);
});

test('the file says who holds it', async () => {
  await withLock(path, async () => {
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid} ${hostname()}\n`);
    return ok(undefined);
  });
});

test('the lock is given back when the task throws', async () => {
  await expect(withLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(existsSync(path)).toBe(false);
});

test('the lock of a dead process is broken, by one of those who wait', async () => {
  writeFileSync(path, `${await deadPid()} ${hostname()}\n`);
  let inside = 0;
  const tasks = Array.from({ length: 5 }, () =>
    withLock(path, async () => {
      expect(++inside).toBe(1);
      await new Promise(setImmediate);
      inside--;
      return ok(undefined);
    }),
  );
  expect((await Promise.all(tasks)).every((outcome) => outcome.ok)).toBe(true);
  expect(readdirSync(directory)).toEqual([]);
});

test.each([
  ['a process that lives', () => `${process.pid} ${hostname()}\n`],
  ['a process of another machine', async () => `${await deadPid()} elsewhere\n`],
  ['who knows whom', () => 'garbage\n'],
])('the lock of %s is not broken', async (_says, content) => {
  writeFileSync(path, await content());
  await breakIfStale(path);
  expect(readdirSync(directory)).toEqual(['lock']);
});

test('nor is one broken while somebody else is breaking it', async () => {
  writeFileSync(path, `${await deadPid()} ${hostname()}\n`);
  writeFileSync(`${path}.breaking`, `${process.pid} ${hostname()}\n`);
  await breakIfStale(path);
  expect(readdirSync(directory).sort()).toEqual(['lock', 'lock.breaking']);
});

test('a lock that is held is waited for', async () => {
  writeFileSync(path, `${process.pid} ${hostname()}\n`);
  let isHeld = true;
  const waiting = withLock(path, async () => ok(isHeld));
  await new Promise(setImmediate);
  isHeld = false;
  rmSync(path);
  expect(await waiting).toEqual(ok(false));
});
