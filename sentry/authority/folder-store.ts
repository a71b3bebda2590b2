// The state of an authority in a folder. Processes of one machine share it under a lock, each at its own moment, so that
// nobody has to be prepared for a change: only what signs now is kept.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrustDomain } from '../../api/ids.ts';
import { messageOf } from '../../kit/errors.ts';
import { type LockTools, withLock } from '../../kit/lock.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { KEY_MODE, PUBLIC_MODE, readKeyText, readText, writeFileSafely } from './files.ts';
import { keyPemOf, type Signer, type SignerKind } from './signer.ts';
import { ANCHORS_ENTRY, type Entries, type Place, readState, type StoredState } from './state.ts';
import type { Change, StateStore, Updated } from './store.ts';

export interface FolderOptions extends LockTools {
  readonly directory: string;
  readonly trustDomain: TrustDomain;
}

export function folderStore(options: FolderOptions): StateStore {
  return {
    place: placeOf(options.directory),
    read: () => underLock(options, () => read(options)),
    update: (change) => underLock(options, () => update(options, change)),
  };
}

/** Under the lock of the folder; trouble with the disk becomes a value. */
async function underLock<T>(options: FolderOptions, task: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await withLock(join(options.directory, 'lock'), options, task);
  } catch (error) {
    return err(`the authority's folder ${options.directory} cannot be used: ${messageOf(error)}`);
  }
}

async function read({ directory, trustDomain }: FolderOptions): Promise<Result<StoredState | undefined>> {
  const entries = await readEntries(directory);
  return entries.ok ? readState(entries.value, placeOf(directory), trustDomain) : entries;
}

async function update(options: FolderOptions, change: Change): Promise<Result<Updated>> {
  const before = await read(options);
  if (!before.ok) return before;
  const after = await change(before.value);
  if (!after.ok) return after;
  for (const kind of ['root', 'issuer'] as const) {
    const signer = after.value[kind].active;
    if (signer !== before.value?.[kind]?.active) await save(options.directory, kind, signer);
  }
  return ok({ before: before.value, after: after.value });
}

async function readEntries(directory: string): Promise<Result<Entries>> {
  const entries: Record<string, string | undefined> = {};
  for (const name of ['root.key', 'root.crt', 'issuer.key', 'issuer.crt', ANCHORS_ENTRY]) {
    const text = await (name.endsWith('.key') ? readKeyText : readText)(join(directory, name));
    if (!text.ok) return text;
    entries[name] = text.value;
  }
  return ok(entries);
}

/** A certificate is the last to come and, on replacement, the first to go: a crash never leaves one with another's key. */
async function save(directory: string, kind: SignerKind, signer: Signer): Promise<void> {
  await rm(join(directory, `${kind}.crt`), { force: true });
  await writeFileSafely(join(directory, `${kind}.key`), keyPemOf(signer), KEY_MODE);
  await writeFileSafely(join(directory, `${kind}.crt`), signer.certificatePem, PUBLIC_MODE);
}

function placeOf(directory: string): Place {
  return { whole: directory, entry: (name) => join(directory, name), startOver: 'move the whole folder away' };
}
