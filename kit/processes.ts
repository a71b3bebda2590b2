// Which processes of this machine are alive, told apart from later ones that were given the same number.
import { readFileSync } from 'node:fs';

export interface Processes {
  readonly ownPid: number;
  /**
   * A mark that two processes of one number never share; empty where the platform tells none, and the number alone
   * has to do. Undefined: no such process.
   */
  startTime(pid: number): string | undefined;
}

export interface ProcessesOptions {
  readonly ownPid: number;
  readonly platform: string;
  /** Signal 0 of kill(2): asks without touching. */
  readonly exists: (pid: number) => boolean;
}

export function openProcesses({ ownPid, platform, exists }: ProcessesOptions): Processes {
  // Where /proc is not mounted it does not show this process either, and the others are not dead for that.
  const isTold = platform === 'linux' && startTimeOnLinux(ownPid) !== undefined;
  return { ownPid, startTime: isTold ? startTimeOnLinux : (pid) => (exists(pid) ? '' : undefined) };
}

/** proc_pid_stat(5): field 22, in clock ticks since boot. A zombie has ended, whatever its parent has yet to do. */
function startTimeOnLinux(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const [state = '', ...later] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return /[ZXx]/.test(state) ? undefined : later[18];
}

export function isAlive(processes: Processes, pid: number, startTime: string): boolean {
  return processes.startTime(pid) === startTime;
}
