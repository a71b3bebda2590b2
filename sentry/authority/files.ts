// Files that hold keys: who may read them, and writing them so that a crash leaves the old or the new, never half.
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export const KEY_MODE = 0o600;
export const PUBLIC_MODE = 0o644;
const FOLDER_MODE = 0o700;
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

/**
 * Makes the folder with mode 0700. One that is there is taken as it is, if it is ours and nobody else may change it
 * (`closed`: nor enter it). It is not tightened: given a wrong path, that would lock others out of their own folder.
 */
export async function ensureFolder(path: string, demand: 'ours' | 'closed'): Promise<Result<undefined>> {
  try {
    await mkdir(path, { recursive: true, mode: FOLDER_MODE });
    const { mode, uid } = await stat(path);
    if (uid !== userInfo().uid) return err(`the folder ${path} belongs to another user; choose another folder`);
    if ((mode & (demand === 'closed' ? OTHERS : OTHERS_WRITE)) === 0) return ok(undefined);
    return err(`the folder ${path} is open to other users (mode ${octal(mode)}); run: chmod 700 ${path}`);
  } catch (error) {
    return err(`the folder ${path} cannot be used: ${messageOf(error)}`);
  }
}

/** The file's text, or undefined where there is none. */
export async function readText(path: string): Promise<Result<string | undefined>> {
  try {
    return ok(await readFile(path, 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ok(undefined);
    return err(`${path} cannot be read: ${messageOf(error)}`);
  }
}

/**
 * As `readText`, for a key. One that others may read is refused and not tightened: it may have been read already, and
 * that is for a person to judge.
 */
export async function readKeyText(path: string): Promise<Result<string | undefined>> {
  const text = await readText(path);
  if (!text.ok || text.value === undefined) return text;
  const { mode } = await stat(path);
  if ((mode & OTHERS) === 0) return text;
  return err(
    `${path} can be read by other users (mode ${octal(mode)}); if nobody has, run: chmod 600 ${path}; ` +
      'if somebody may have, move the whole folder away, and every workload gets a new root',
  );
}

/** The content is on the disk before the name is. */
export async function writeFileSafely(path: string, content: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    // The process's umask may have taken from what `open` was told.
    await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function octal(mode: number): string {
  return `0${(mode & 0o777).toString(8)}`;
}
