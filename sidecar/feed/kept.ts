// The last config on disk, for a restart of the container while there is no operator.
//
//   invoke-feed/1 <SHA-256 of the rest of the file, in hex> <our SPIFFE ID>\n
//   <the message of the feed>
//
// The file appears whole: it is written beside its place and renamed into it. One that is damaged, or of somebody else, is
// as good as none.
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type Identity, spiffeId } from '../../api/ids.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';

export interface KeptSnapshot {
  /** The message, if there is one that is whole and ours. */
  load(): Buffer | undefined;
  /** Synchronous: a few kilobytes into a file system in memory, or nearly so. */
  save(message: Buffer): void;
}

const FORMAT = 'invoke-feed/1';

export function keepSnapshot(path: string, self: Identity, log: Log): KeptSnapshot {
  let isComplaining = false;
  return {
    load() {
      const read = readKept(path, self);
      if (read.ok) return read.value;
      log.warn(`the kept snapshot is not used: ${read.error}`, { path });
      return undefined;
    },
    save(message) {
      try {
        const draft = `${path}.draft`;
        writeFileSync(draft, printKept(message, self), { mode: 0o600 });
        renameSync(draft, path);
        isComplaining = false;
      } catch (error) {
        // It costs a restart without operator, and nothing now.
        if (!isComplaining) log.warn(`the snapshot cannot be kept: ${messageOf(error)}`, { path });
        isComplaining = true;
      }
    },
  };
}

function printKept(message: Buffer, self: Identity): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${spiffeId(self)}\n`), message]);
  return Buffer.concat([Buffer.from(`${FORMAT} ${checksum(rest)}`), rest]);
}

function readKept(path: string, self: Identity): Result<Buffer | undefined> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? ok(undefined) : err(messageOf(error));
  }
  const head = new RegExp(`^${FORMAT} ([0-9a-f]{64})( \\S+\n)`).exec(bytes.toString('latin1', 0, 1024));
  const [whole = '', sum, name = ''] = head ?? [];
  const restAt = whole.length - name.length;
  if (sum === undefined || sum !== checksum(bytes.subarray(restAt))) return err('it is damaged');
  if (name !== ` ${spiffeId(self)}\n`) return err(`it is that of${name.trimEnd()}, and we are ${spiffeId(self)}`);
  return ok(bytes.subarray(whole.length));
}

function checksum(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
