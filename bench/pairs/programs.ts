// Finding the programs of others on this machine, and what version they are.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** As a shell would find it. Debian keeps servers in sbin, which is not on everybody's path. */
export function findProgram(name: string, path: string | undefined): string | undefined {
  const folders = [...(path ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'].filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first thing that looks like a version in what the program says of itself. */
export function versionOf(file: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  return /\d+\.\d+\.\d+[-.\w]*/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown version';
}
