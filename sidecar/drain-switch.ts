// How a pod's sidecar hears that its pod is to end: a file appears in a folder that no other container sees. SIGTERM comes only
// once the app is gone, which would be too late to take no new calls; the kubelet runs preStop at once, and that is `touch`:
// a program of ours would need a second Node, with its memory and its start, in a container that may have room for neither.
import { existsSync, rmSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Cancel, type Clock, every } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';

/** Where nobody tells us, we look. */
const LOOK_MS = 250;

/** Calls `drain` once, when the file is there. One that this container's life before has left means nothing. */
export function openDrainSwitch(path: string, drain: () => void, clock: Clock): Result<Cancel> {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    return err(messageOf(error));
  }
  let stop: Cancel = () => undefined;
  const look = () => {
    if (!existsSync(path)) return;
    stop();
    drain();
  };
  const lookNowAndThen = () => {
    stop();
    stop = every(clock, LOOK_MS, look);
  };
  try {
    const watcher = watch(dirname(path), (_event, name) => name === basename(path) && look());
    watcher.on('error', lookNowAndThen);
    stop = () => watcher.close();
  } catch {
    // A node has 128 watchers for all processes of a user, by default, and all sidecars on it are one user.
    lookNowAndThen();
  }
  return ok(() => stop());
}
