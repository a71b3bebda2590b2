// How a pod's sidecar hears that its pod is to end: a file appears in a folder that no other container sees. SIGTERM comes only
// once the app is gone, which would be too late to take no new calls; the kubelet runs preStop at once, and that is `touch`:
// a program of ours would need a second Node, with its memory and its start, in a container that may have room for neither.
import { existsSync, rmSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Cancel } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';

/** Calls `drain` once, when the file is there. One that this container's life before has left means nothing. */
export function openDrainSwitch(path: string, drain: () => void): Result<Cancel> {
  try {
    rmSync(path, { force: true });
    const watcher = watch(dirname(path), (_event, name) => {
      if (name !== basename(path) || !existsSync(path)) return;
      watcher.close();
      drain();
    });
    watcher.on('error', () => watcher.close());
    return ok(() => watcher.close());
  } catch (error) {
    return err(messageOf(error));
  }
}
