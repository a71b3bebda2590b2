// Switches of the engine, thrown while the process runs.
//
// On the command line they would be part of what Node checks the compiled code by that it brings of its own modules, and that was
// compiled without them: Node would compile everything anew that it loads of itself, 40 ms of processor time at each start (measured;
// either switch is enough for that).
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Leaves one of the two optimizing compilers out. Of a sidecar at full load its graphs left 20 MB behind, and nothing was slower
 * without it. To be said once the modules of the platform are loaded.
 */
export function withoutMaglev(): void {
  setFlagsFromString('--no-maglev');
}

/** Collects the young generation. The platform's `gc` is made at the first call, which takes a millisecond or two. */
export function youngCollector(): () => void {
  let gc: NodeJS.GCFunction | undefined;
  return () => {
    gc ??= exposedGc();
    gc({ type: 'minor' });
  };
}

/** Only contexts have it that are made once the switch is thrown. */
function exposedGc(): NodeJS.GCFunction {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}
