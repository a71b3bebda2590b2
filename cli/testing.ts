// Hosts for tests: a command without a process around it.
import { PassThrough } from 'node:stream';
import { systemClock } from '../kit/clock.ts';
import type { Host } from './host.ts';

/** Nobody listens to it and nothing is alive on it. */
export function silentHost(): Host {
  return {
    env: {},
    cwd: '/work',
    home: '/home/user',
    stdin: new PassThrough(),
    stdout: new PassThrough().resume(),
    stderr: new PassThrough().resume(),
    clock: systemClock,
    random: () => 0.5,
    processes: { ownPid: 1, startTime: () => undefined },
    self: { nodePath: 'node', mainPath: 'main.ts' },
    parent: undefined,
    onSignal: () => () => undefined,
    signal: () => false,
  };
}
