// Resource files as they change: read anew, all of them, once it has been quiet for a moment, so that no file is read that is
// half written. What cannot be used leaves everything as it was, and is said.
import { type FSWatcher, watch } from 'node:fs';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Log } from '../../kit/log.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import { type LoadedResources, loadResources } from './load.ts';

export interface WatchedResources {
  /** Those that were good last. */
  readonly current: Snapshot<LoadedResources>;
  /** What is wrong with the files as they are now. */
  readonly problem: Snapshot<string | undefined>;
  close(): void;
}

const QUIET_MS = 50;

export function watchResources(
  directories: readonly string[],
  first: LoadedResources,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): WatchedResources {
  const current = snapshot(first);
  const problem = snapshot<string | undefined>(undefined);
  let known = JSON.stringify(first);
  let cancelQuiet: Cancel | undefined;
  let state: 'idle' | 'reading' | 'outdated' | 'closed' = 'idle';

  function changed(): void {
    cancelQuiet?.();
    cancelQuiet = clock.after(QUIET_MS, begin);
  }

  function begin(): void {
    if (state !== 'idle') {
      if (state === 'reading') state = 'outdated';
      return;
    }
    state = 'reading';
    void loadResources(directories).then((loaded) => {
      if (state === 'closed') return;
      const isOutdated = state === 'outdated';
      state = 'idle';
      if (isOutdated) begin();
      else if (loaded.ok) take(loaded.value);
      else refuse(loaded.error);
    });
  }

  function take(loaded: LoadedResources): void {
    if (problem.current() !== undefined) problem.set(undefined);
    const text = JSON.stringify(loaded);
    if (text === known) return;
    known = text;
    log.info('the resource files have changed, and count as they are now');
    current.set(loaded);
  }

  function refuse(problems: readonly string[]): void {
    for (const sentence of problems)
      log.error(
        `the resource files cannot be used as they are now, and what they said before still holds: ${sentence}`,
      );
    problem.set(problems.join('; '));
  }

  const watchers = directories.flatMap((directory) => watchDirectory(directory, changed, log));
  // Whatever was changed between the first reading and this moment.
  if (watchers.length > 0) changed();
  return {
    current,
    problem,
    close() {
      state = 'closed';
      cancelQuiet?.();
      for (const watcher of watchers) watcher.close();
    },
  };
}

function watchDirectory(directory: string, changed: () => void, log: Log): FSWatcher[] {
  const failed = (error: unknown) =>
    log.warn('a folder of resources cannot be watched: changes count from the next start', {
      directory,
      reason: messageOf(error),
    });
  try {
    const watcher = watch(directory, { persistent: false }, changed);
    watcher.on('error', failed);
    return [watcher];
  } catch (error) {
    failed(error);
    return [];
  }
}
