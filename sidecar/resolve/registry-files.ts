// The registry of this machine as it lies on disk: who is there, who was there lately.
//
//   <directory>/<namespace>/<app id>/<pid>-<peer port>.json   one instance (record.ts)
//   <directory>/<namespace>/<app id>.last-seen                when the last instance to go was last seen
//
//   F1. A file appears whole or not at all: it is written beside its place and renamed into it.
//   F2. Nobody else may look in or write here: folders are 0700, files 0600.
//   F3. A record counts only while its process lives. Its owner takes it back when it stops; after a crash, the next
//       reader does. Either leaves the note, unless the app could not be found here anyway.
//   F4. A record's modification time is when its owner last said that it is there.
import { chmodSync, mkdirSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseAppId, parseNamespace, type Target } from '../../api/ids.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { Log } from '../../kit/log.ts';
import { isAlive, type Processes } from '../../kit/processes.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { LATELY_MS } from './absent.ts';
import { parseRecord, printRecord, type RegistryRecord } from './record.ts';

export interface AppOnDisk {
  /** The instances whose process is alive, in a stable order. */
  readonly live: readonly RegistryRecord[];
  /** Epoch milliseconds; undefined: not seen within the last hour. */
  readonly lastSeenAt: number | undefined;
}

export interface RegistryFiles {
  appDirectory(target: Target): string;
  /** Never rejects: what cannot be read is logged once and left out. */
  read(target: Target): Promise<AppOnDisk>;
  /** Everyone who is there. Never rejects. */
  readAll(): Promise<readonly RegistryRecord[]>;
  /** Synchronous, as `remove` is: both belong to a process that may end with the next line. */
  write(record: RegistryRecord): Result<void>;
  /** Says that the owner of a record is still there, and writes it anew if somebody deleted it. */
  touch(record: RegistryRecord): Result<void>;
  remove(record: RegistryRecord): void;
}

export interface RegistryFilesOptions {
  readonly directory: string;
  readonly processes: Processes;
  readonly now: () => number;
  readonly log: Log;
}

export function openRegistryFiles(options: RegistryFilesOptions): Result<RegistryFiles> {
  const { directory, processes, now } = options;
  const opened = openDirectory(directory);
  if (!opened.ok) return opened;

  const complain = complainOnce(options.log);
  const appDirectory = ({ namespace, app }: Target) => join(directory, namespace, app);
  const notePath = (target: Target) => `${appDirectory(target)}.last-seen`;
  const recordPath = (record: RegistryRecord) =>
    join(appDirectory(targetOf(record)), `${record.pid}-${record.peerPort}.json`);

  async function read(target: Target): Promise<AppOnDisk> {
    const live: RegistryRecord[] = [];
    for (const path of (await entries(appDirectory(target), complain)).filter((entry) => entry.endsWith('.json'))) {
      const found = await readRecord(path, target, complain);
      if (found === undefined) continue;
      if (isAlive(processes, found.record.pid, found.record.processStartTime)) live.push(found.record);
      else await bury(path, found.record, found.seenAt);
    }
    return { live, lastSeenAt: await readNote(notePath(target), now()) };
  }

  async function bury(path: string, record: RegistryRecord, seenAt: number): Promise<void> {
    const note = notePath(targetOf(record));
    if (record.findable) leaveNote(note, Math.max(seenAt, (await readNote(note, now())) ?? 0));
    await unlink(path).catch(ignoreGone);
  }

  return ok({
    appDirectory,
    read,
    async readAll() {
      const all: RegistryRecord[] = [];
      for (const target of await targetsIn(directory, complain)) all.push(...(await read(target)).live);
      return all;
    },
    write: (record) => attempt('write', recordPath(record), (path) => writeWhole(path, printRecord(record))),
    touch: (record) =>
      attempt('touch', recordPath(record), (path) => {
        if (statSync(path, { throwIfNoEntry: false }) === undefined) writeWhole(path, printRecord(record));
        else utimesSync(path, now() / 1000, now() / 1000);
      }),
    remove(record) {
      if (record.findable) leaveNote(notePath(targetOf(record)), now());
      attempt('remove', recordPath(record), unlinkSync);
    },
  });
}

export function targetOf({ appId, namespace }: RegistryRecord): Target {
  return { app: appId, namespace };
}

function openDirectory(directory: string): Result<void> {
  return attempt('use', directory, () => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if ((statSync(directory).mode & 0o077) !== 0) chmodSync(directory, 0o700);
  });
}

/** The platform's refusal, in a sentence for people. */
function attempt(verb: string, path: string, act: (path: string) => void): Result<void> {
  try {
    act(path);
    return ok(undefined);
  } catch (error) {
    return err(`cannot ${verb} ${path}: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied; it has to belong to you';
  if (code === 'ENOTDIR' || code === 'EEXIST') return 'a file is in the way where a folder is needed';
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk is full';
  if (code === 'EROFS') return 'the file system is read-only';
  return messageOf(error);
}

function writeWhole(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
  const draft = `${path}.draft`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}

/** A note that cannot be left costs a better message, nothing more. */
function leaveNote(path: string, seenAt: number): void {
  attempt('write', path, () => writeWhole(path, `${new Date(seenAt).toISOString()}\n`));
}

async function readNote(path: string, now: number): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const seenAt = Date.parse(text.trim());
  if (now - seenAt <= LATELY_MS) return seenAt;
  await unlink(path).catch(ignoreGone);
  return undefined;
}

type Complain = (path: string, why: string) => void;

/** One line for each thing that is wrong, however often it is looked at. */
function complainOnce(log: Log): Complain {
  const said = new Set<string>();
  return (path, why) => {
    const key = `${path}\n${why}`;
    if (said.has(key)) return;
    said.add(key);
    log.warn(`skipping a registry entry: ${why}`, { path });
  };
}

async function readRecord(path: string, target: Target, complain: Complain) {
  try {
    const text = await readFile(path, 'utf8');
    const seenAt = (await stat(path)).mtimeMs;
    const record = parseRecord(text);
    if (!record.ok) return complain(path, record.error);
    const { app, namespace } = targetOf(record.value);
    if (app !== target.app || namespace !== target.namespace)
      return complain(path, 'it lies in the folder of another app');
    return { record: record.value, seenAt };
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') complain(path, reason(error));
    return undefined;
  }
}

async function targetsIn(directory: string, complain: Complain): Promise<readonly Target[]> {
  const targets: Target[] = [];
  for (const namespacePath of await entries(directory, complain)) {
    const namespace = parseNamespace(basename(namespacePath));
    if (!namespace.ok) continue;
    for (const appPath of await entries(namespacePath, complain)) {
      const app = parseAppId(basename(appPath));
      if (app.ok) targets.push({ app: app.value, namespace: namespace.value });
    }
  }
  return targets;
}

/** The paths in a folder, sorted; none when it is not there. */
async function entries(directory: string, complain: Complain): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort().map((name) => join(directory, name));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') complain(directory, reason(error));
    return [];
  }
}

function ignoreGone(): void {
  // Another reader was faster.
}
