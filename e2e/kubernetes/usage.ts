// What processes in pods take, for suites that measure.
import { kubectl } from './kubectl.ts';

export interface Usage {
  readonly rssMib: number;
  readonly cpuMs: number;
  /** By the clock of the pod. */
  readonly atMs: number;
}

/** Of the container's first process, from /proc (proc_pid_stat(5), 100 ticks a second). */
export async function usage(where: string, pod: string, container: string): Promise<Usage> {
  const script = [
    "const { readFileSync } = require('fs');",
    "const status = readFileSync('/proc/1/status', 'utf8'), stat = readFileSync('/proc/1/stat', 'utf8').split(') ')[1].split(' ');",
    'const rssMib = Math.round(/VmRSS:\\s*(\\d+)/.exec(status)[1] / 1024);',
    'console.log(JSON.stringify({ rssMib, cpuMs: (Number(stat[11]) + Number(stat[12])) * 10, atMs: Date.now() }));',
  ].join(' ');
  const said = await kubectl('exec', pod, '-n', where, '-c', container, '--', 'node', '-e', script);
  return JSON.parse(said);
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
