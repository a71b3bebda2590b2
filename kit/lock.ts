// One process at a time: a lock file that says who holds it.
//
//   L1. The file appears whole: it is written elsewhere and linked to its name, which fails where the name is taken.
//   L2. It is broken only if its holder, a process of this machine, is gone. Breaking is itself under a lock, and looks
//       again under it: of two who find the same dead holder, the second never removes the lock of the first.
//   L3. A holder is known by its number and its start time: a later process of the same number holds nothing.
import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { type Clock, sleep } from './clock.ts';
import { codeOf } from './errors.ts';
import { isAlive, type Processes } from './processes.ts';
import { err, type Result } from './result.ts';

const LOOK_EVERY_MS = 20;
/** What is done under a lock takes milliseconds; a holder that takes this long is stuck. */
const HELD_MAX_MS = 10_000;

export interface LockTools {
  /** While it waits, something else has to keep the process alive. */
  readonly clock: Clock;
  readonly processes: Processes;
}

/** Runs `task` while holding the lock at `path`. Errors that `task` throws pass through. */
export async function withLock<T, E>(
  path: string,
  { clock, processes }: LockTools,
  task: () => Promise<Result<T, E>>,
): Promise<Result<T, E | string>> {
  const startedAtMs = clock.elapsed();
  while (!(await tryLock(path, processes))) {
    await breakIfStale(path, processes);
    if (clock.elapsed() - startedAtMs >= HELD_MAX_MS) {
      const holder = nameOf(await holderAt(path));
      return err(`${path} has been held for ${HELD_MAX_MS / 1000} s by ${holder}; if it is gone, remove the file`);
    }
    await sleep(clock, LOOK_EVERY_MS);
  }
  try {
    return await task();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string, processes: Processes): Promise<boolean> {
  const mine = `${path}.${randomUUID()}`;
  const { ownPid } = processes;
  await writeFile(mine, `${ownPid} ${hostname()} ${processes.startTime(ownPid) ?? ''}\n`, { mode: 0o600 });
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
}

/** Whether it did anything or not, the next thing is to try again. Exported for its test. */
export async function breakIfStale(path: string, processes: Processes): Promise<void> {
  if (!(await isStale(path, processes))) return;
  const breaking = `${path}.breaking`;
  if (!(await tryLock(breaking, processes))) return;
  try {
    if (await isStale(path, processes)) await rm(path, { force: true });
  } finally {
    await rm(breaking, { force: true });
  }
}

async function isStale(path: string, processes: Processes): Promise<boolean> {
  const holder = await holderAt(path);
  return holder?.host === hostname() && !isAlive(processes, holder.pid, holder.startTime);
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Empty where the platform tells none. */
  readonly startTime: string;
}

/** Undefined where nobody holds it, and where the file does not say who. */
async function holderAt(path: string): Promise<Holder | undefined> {
  try {
    const [, pid, host = '', startTime = ''] = /^(\d+) (\S+) (\S*)\n$/.exec(await readFile(path, 'utf8')) ?? [];
    return pid === undefined ? undefined : { pid: Number(pid), host, startTime };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function nameOf(holder: Holder | undefined): string {
  return holder === undefined ? 'somebody' : `process ${holder.pid} on ${holder.host}`;
}
