// One process at a time: a lock file that says who holds it.
//
//   L1. The file appears whole: it is written elsewhere and linked to its name, which fails where the name is taken.
//   L2. It is broken only if its holder, a process of this machine, is gone. Breaking is itself under a lock, and looks
//       again under it: of two who find the same dead holder, the second never removes the lock of the first.
import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { kill, pid } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, type Result } from '../../kit/result.ts';
import { isCode } from './files.ts';

const LOOK_EVERY_MS = 20;
/** Ten seconds. What is done under a lock takes milliseconds; a holder that takes this long is stuck. */
const LOOKS_MAX = 500;

/** Runs `task` while holding the lock at `path`. Errors that `task` throws pass through. */
export async function withLock<T, E>(path: string, task: () => Promise<Result<T, E>>): Promise<Result<T, E | string>> {
  for (let looks = 1; !(await tryLock(path)); looks++) {
    await breakIfStale(path);
    if (looks === LOOKS_MAX) {
      return err(`${path} has been held for 10 s by process ${await holderOf(path)}; if it is gone, remove the file`);
    }
    // A timer of the clock would not keep the process alive, and nothing else does while it waits to start.
    await sleep(LOOK_EVERY_MS);
  }
  try {
    return await task();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  const mine = `${path}.${randomUUID()}`;
  await writeFile(mine, `${pid} ${hostname()}\n`, { mode: 0o600 });
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
}

/** Whether it did anything or not, the next thing is to try again. Exported for its test. */
export async function breakIfStale(path: string): Promise<void> {
  if (!(await isStale(path))) return;
  const breaking = `${path}.breaking`;
  if (!(await tryLock(breaking))) return;
  try {
    if (await isStale(path)) await rm(path, { force: true });
  } finally {
    await rm(breaking, { force: true });
  }
}

async function isStale(path: string): Promise<boolean> {
  const [holder = '', host = ''] = (await holderOf(path)).split(' ');
  return host === hostname() && /^\d+$/.test(holder) && !isAlive(Number(holder));
}

/** `<pid> <host>`, or nothing where nobody holds it. */
async function holderOf(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (isCode(error, 'ENOENT')) return '';
    throw error;
  }
}

function isAlive(holder: number): boolean {
  try {
    kill(holder, 0);
    return true;
  } catch (error) {
    return !isCode(error, 'ESRCH');
  }
}
