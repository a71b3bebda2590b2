// Switches of the engine, thrown while the process runs.
//
// On the command line they would be part of what Node checks the compiled code by that it brings of its own modules, and that was
// compiled without them: Node would compile everything anew that it loads of itself, 40 ms of processor time at each start (measured;
// either switch is enough for that).

/** The process: its modules are loaded when they are needed. Before anything listens, `node:v8` alone took 5 ms of a start. */
export type Platform = Pick<NodeJS.Process, 'getBuiltinModule'>;

/**
 * Leaves one of the two optimizing compilers out. Of a sidecar at full load its graphs left 20 MB behind, and nothing was slower
 * without it. To be said once the modules of the platform are loaded.
 */
export function withoutMaglev(platform: Platform): void {
  throwSwitch(platform, '--no-maglev');
}

/** Collects the young generation. The platform's `gc` is made at the first call, which takes a millisecond or two. */
export function youngCollector(platform: Platform): () => void {
  let gc: NodeJS.GCFunction | undefined;
  return () => {
    gc ??= exposedGc(platform);
    gc({ type: 'minor' });
  };
}

/** Only contexts have it that are made once the switch is thrown. */
function exposedGc(platform: Platform): NodeJS.GCFunction {
  throwSwitch(platform, '--expose-gc');
  return platform.getBuiltinModule('node:vm').runInNewContext('gc');
}

function throwSwitch(platform: Platform, flag: string): void {
  platform.getBuiltinModule('node:v8').setFlagsFromString(flag);
}
