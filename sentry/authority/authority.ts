// The authority of one trust domain: a root, and under it the issuer that signs workloads. Here as one machine has it, in
// a folder; replica.ts has it as replicas in a cluster share it.
//
//   A1. A root is made only where there is no trace of one, under a lock: two processes that start at once share it.
//   A2. What is there and damaged is refused with the file's name. A new root would cut off every workload in silence.
//   A3. The issuer is replaced by the root in the last third of its life, when it is next asked for. Certificates that
//       the old one signed stay good: they carry it along, and they chain to the same root.
import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { TrustDomain } from '../../api/ids.ts';
import { messageOf } from '../../kit/errors.ts';
import type { LockTools } from '../../kit/lock.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { ensureFolder, PUBLIC_MODE, writeFileSafely } from './files.ts';
import { folderStore } from './folder-store.ts';
import { stageOf } from './lifetime.ts';
import { type Signer, validityOf } from './signer.ts';
import { ANCHORS_ENTRY, type AuthorityState, anchorsOf } from './state.ts';
import { announce, complete, replaceIssuer } from './steps.ts';
import type { StateStore } from './store.ts';

export interface Authority {
  readonly trustDomain: TrustDomain;
  /** That signed the issuer. */
  readonly root: X509Certificate;
  /** What clients are to trust. PEM. */
  readonly anchorsPem: string;
  /** The issuer in force at `now` (epoch milliseconds). */
  issuer(now: number): Promise<Result<Signer>>;
}

export interface AuthorityOptions extends LockTools {
  readonly directory: string;
  readonly trustDomain: TrustDomain;
  readonly log: Log;
}

/** Loads the authority, or makes it in an empty folder. Writes `trust-anchors.crt` there for clients. */
export async function openAuthority(options: AuthorityOptions): Promise<Result<Authority>> {
  const folder = await ensureFolder(options.directory, 'ours');
  if (!folder.ok) return folder;
  const store = folderStore(options);
  const opened = await bringUpToDate(store, options, options.clock.now());
  if (!opened.ok) return opened;
  try {
    await writeFileSafely(anchorsPath(options.directory), anchorsOf(opened.value), PUBLIC_MODE);
  } catch (error) {
    return err(`the authority's folder ${options.directory} cannot be used: ${messageOf(error)}`);
  }
  return ok(authorityOf(store, options, opened.value));
}

export function anchorsPath(directory: string): string {
  return join(directory, ANCHORS_ENTRY);
}

function authorityOf(store: StateStore, options: AuthorityOptions, opened: AuthorityState): Authority {
  let issuer = opened.issuer.active;
  let replacing: Promise<Result<Signer>> | undefined;
  async function replace(now: number): Promise<Result<Signer>> {
    const replaced = await bringUpToDate(store, options, now);
    replacing = undefined;
    if (!replaced.ok) {
      options.log.error('the issuer could not be replaced', { reason: replaced.error });
      return replaced;
    }
    issuer = replaced.value.issuer.active;
    return ok(issuer);
  }
  return {
    trustDomain: options.trustDomain,
    root: opened.root.active.certificate,
    anchorsPem: anchorsOf(opened),
    async issuer(now) {
      const stage = stageOf(validityOf(issuer), now);
      if (stage === 'in-force') return ok(issuer);
      replacing ??= replace(now);
      const replaced = await replacing;
      // Months are left in which the old one serves and this is tried again.
      return !replaced.ok && stage === 'replace' ? ok(issuer) : replaced;
    },
  };
}

/** What is missing is made, and an issuer that nears its end is replaced. */
async function bringUpToDate(
  store: StateStore,
  { trustDomain, log }: AuthorityOptions,
  now: number,
): Promise<Result<AuthorityState>> {
  const updated = await store.update(async (state) => {
    const completed = await complete(state, store.place, trustDomain, now);
    return completed.ok ? ok(await replaceIssuer(completed.value, trustDomain, now)) : completed;
  });
  if (!updated.ok) return updated;
  announce(log, updated.value, now);
  return ok(updated.value.after);
}
