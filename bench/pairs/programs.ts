// Finding the programs of others on this machine, and what version they are.
import { spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';
import { findProgram as findProgramIn } from '../../kit/find-program.ts';

/** As a shell would find it. Debian keeps servers in sbin, which is not on everybody's path. */
export function findProgram(name: string, path: string | undefined): string | undefined {
  const folders = [...(path ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'].filter((folder) => folder !== '');
  return findProgramIn(name, folders);
}

/** The first thing that looks like a version in what the program says of itself. */
export function versionOf(file: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  return /\d+\.\d+\.\d+[-.\w]*/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown version';
}
