// Finding a program of others on this machine.
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The first that can be run, in the order of the folders. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
