// For tests: the processes of the machine that they run on.
import { kill, pid, platform } from 'node:process';
import { codeOf } from '../errors.ts';
import { openProcesses } from '../processes.ts';

export const processes = openProcesses({ ownPid: pid, platform, exists });

function exists(other: number): boolean {
  try {
    return kill(other, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
