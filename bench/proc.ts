// What the kernel says of a process: the processor time that all its threads have used, and its memory (proc(5), Linux).
import { readdirSync, readFileSync } from 'node:fs';
import { codeOf } from '../kit/errors.ts';

export interface Memory {
  readonly rssBytes: number;
  /** What is this process's own, and not the text of a file that others map too. */
  readonly anonymousBytes: number;
}

/**
 * Nanoseconds on a processor since the process began, by the scheduler's own count. /proc/PID/stat counts ticks of 10 ms
 * instead. A thread that has ended is no longer counted; the programs that are compared here keep theirs.
 */
export function cpuNs(pid: number): number {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).reduce((sum, thread) => sum + threadCpuNs(`${folder}/${thread}/schedstat`), 0);
}

function threadCpuNs(file: string): number {
  try {
    return parseSchedstat(readFileSync(file, 'utf8'));
  } catch (error) {
    // It ended since the folder was listed.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return 0;
    throw error;
  }
}

/** The first of its three numbers: time on the processor, in nanoseconds. */
export function parseSchedstat(text: string): number {
  const [, ns] = /^(\d+) \d+ \d+\n?$/.exec(text) ?? [];
  if (ns === undefined) throw new Error(`this is not a schedstat: ${JSON.stringify(text)}`);
  return Number(ns);
}

export function memory(pid: number): Memory {
  return parseSmapsRollup(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
}

export function parseSmapsRollup(text: string): Memory {
  return { rssBytes: bytesIn(text, 'Rss'), anonymousBytes: bytesIn(text, 'Anonymous') };
}

function bytesIn(text: string, field: string): number {
  const [, kib] = new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(text) ?? [];
  if (kib === undefined) throw new Error(`there is no ${field} in this smaps_rollup`);
  return Number(kib) * 1024;
}
