// The authority of one trust domain: a root, and under it the issuer that signs workloads; both in a folder.
//
//   A1. A root is made only where there is no trace of one, under a lock: two processes that start at once share it.
//   A2. What is there and damaged is refused with the file's name. A new root would cut off every workload in silence.
//   A3. The issuer is replaced by the root in the last third of its life, when it is next asked for. Certificates that
//       the old one signed stay good: they carry it along, and they chain to the same root.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrustDomain } from '../../api/ids.ts';
import { messageOf } from '../../kit/errors.ts';
import { type LockTools, withLock } from '../../kit/lock.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { SigningParty, Validity } from '../../pki/certificate.ts';
import { authorityName, makeAuthorityCertificate } from './certificate.ts';
import { ensureFolder, KEY_MODE, PUBLIC_MODE, readKeyText, readText, writeFileSafely } from './files.ts';
import { BACKDATED_MS, ISSUER_LIFE_MS, ROOT_LIFE_MS, stageOf } from './lifetime.ts';

export interface Signer extends SigningParty {
  readonly certificate: X509Certificate;
  readonly certificatePem: string;
}

export interface Authority {
  readonly trustDomain: TrustDomain;
  readonly root: X509Certificate;
  /** What clients are to trust. PEM. */
  readonly anchorsPem: string;
  /** The issuer in force at `now` (epoch milliseconds), made anew if it nears its end. */
  issuer(now: number): Promise<Result<Signer>>;
}

export interface AuthorityOptions extends LockTools {
  readonly directory: string;
  readonly trustDomain: TrustDomain;
  readonly log: Log;
}

type Kind = 'root' | 'issuer';

/** Loads the authority, or makes it in an empty folder. Writes `trust-anchors.crt` there for clients. */
export async function openAuthority(options: AuthorityOptions): Promise<Result<Authority>> {
  const folder = await ensureFolder(options.directory, 'ours');
  if (!folder.ok) return folder;
  const opened = await underLock(options, async () => {
    const root = await loadOrMakeRoot(options);
    if (!root.ok) return root;
    const issuer = await loadOrMakeIssuer(options, root.value, options.clock.now());
    if (!issuer.ok) return issuer;
    await writeFileSafely(anchorsPath(options.directory), root.value.certificatePem, PUBLIC_MODE);
    return ok({ root: root.value, issuer: issuer.value });
  });
  return opened.ok ? ok(authorityOf(options, opened.value.root, opened.value.issuer)) : opened;
}

export function anchorsPath(directory: string): string {
  return join(directory, 'trust-anchors.crt');
}

function authorityOf(options: AuthorityOptions, root: Signer, firstIssuer: Signer): Authority {
  let issuer = firstIssuer;
  let replacing: Promise<Result<Signer>> | undefined;
  async function replace(now: number): Promise<Result<Signer>> {
    const replaced = await underLock(options, () => loadOrMakeIssuer(options, root, now));
    replacing = undefined;
    if (replaced.ok) issuer = replaced.value;
    else options.log.error('the issuer could not be replaced', { reason: replaced.error });
    return replaced;
  }
  return {
    trustDomain: options.trustDomain,
    root: root.certificate,
    anchorsPem: root.certificatePem,
    async issuer(now) {
      const stage = stageOf(validityOf(issuer.certificate), now);
      if (stage === 'in-force') return ok(issuer);
      replacing ??= replace(now);
      const replaced = await replacing;
      // Months are left in which the old one serves and this is tried again.
      return !replaced.ok && stage === 'replace' ? ok(issuer) : replaced;
    },
  };
}

/** Under the lock of the folder; trouble with the disk becomes a value. */
async function underLock<T>(options: AuthorityOptions, task: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await withLock(join(options.directory, 'lock'), options, task);
  } catch (error) {
    return err(`the authority's folder ${options.directory} cannot be used: ${messageOf(error)}`);
  }
}

async function loadOrMakeRoot(options: AuthorityOptions): Promise<Result<Signer>> {
  const { directory, trustDomain, clock, log } = options;
  const held = await load(directory, 'root', trustDomain);
  if (!held.ok) return held;
  if (held.value) {
    const stage = stageOf(validityOf(held.value.certificate), clock.now());
    if (stage === 'in-force') return ok(held.value);
    if (stage === 'replace') {
      log.warn('the root nears its end; plan a new one', {
        notAfter: held.value.certificate.validToDate.toISOString(),
      });
      return ok(held.value);
    }
    return err(
      `${join(directory, 'root.crt')} is ${stage} by the clock here, ${new Date(clock.now()).toISOString()}; set the ` +
        'clock right, or move the whole folder away to begin with a new root',
    );
  }
  for (const orphan of ['issuer.key', 'issuer.crt', 'trust-anchors.crt']) {
    const found = await readText(join(directory, orphan));
    if (!found.ok) return found;
    if (found.value !== undefined) return err(lost(directory, 'root.key and root.crt', orphan));
  }
  const made = await makeSigner('root', trustDomain, clock.now(), undefined);
  await save(directory, 'root', made);
  log.info('a new root was made', { trustDomain, fingerprint: made.certificate.fingerprint256 });
  return ok(made);
}

async function loadOrMakeIssuer(options: AuthorityOptions, root: Signer, now: number): Promise<Result<Signer>> {
  const { directory, trustDomain, log } = options;
  const issuerCrt = join(directory, 'issuer.crt');
  const certificateText = await readText(issuerCrt);
  if (!certificateText.ok) return certificateText;
  // No certificate: none was made yet, or a replacement was interrupted (see `save`). Nothing depends on its key.
  if (certificateText.value !== undefined) {
    const held = await load(directory, 'issuer', trustDomain);
    if (!held.ok) return held;
    const issuer = held.value;
    if (issuer && !(issuer.certificate.checkIssued(root.certificate) && issuer.certificate.verify(root.publicKey))) {
      return err(`${issuerCrt} was not signed by ${join(directory, 'root.crt')}; restore the file that belongs to it`);
    }
    if (issuer && stageOf(validityOf(issuer.certificate), now) === 'in-force') return ok(issuer);
  }
  const made = await makeSigner('issuer', trustDomain, now, root);
  await save(directory, 'issuer', made);
  log.info('a new issuer was made', { trustDomain, notAfter: made.certificate.validToDate.toISOString() });
  return ok(made);
}

/** Undefined where neither file exists. */
async function load(directory: string, kind: Kind, trustDomain: TrustDomain): Promise<Result<Signer | undefined>> {
  const [keyName, crtName] = [`${kind}.key`, `${kind}.crt`];
  const key = await readKeyText(join(directory, keyName));
  if (!key.ok) return key;
  const crt = await readText(join(directory, crtName));
  if (!crt.ok) return crt;
  if (key.value === undefined && crt.value === undefined) return ok(undefined);
  if (key.value === undefined) return err(lost(directory, keyName, crtName));
  if (crt.value === undefined) return err(lost(directory, crtName, keyName));
  const privateKey = parse(() => createPrivateKey(key.value ?? ''));
  if (!privateKey) return err(`${join(directory, keyName)} is damaged: it holds no private key; restore it`);
  const certificate = parse(() => new X509Certificate(crt.value ?? ''));
  if (!certificate) return err(`${join(directory, crtName)} is damaged: it holds no certificate; restore it`);
  if (!certificate.checkPrivateKey(privateKey)) {
    return err(`${join(directory, keyName)} is not the key of ${join(directory, crtName)}; restore the one that is`);
  }
  if (certificate.subjectAltName !== `URI:spiffe://${trustDomain}` || !certificate.ca) {
    return err(
      `${join(directory, crtName)} is not an authority of the trust domain ${trustDomain} (it says ` +
        `${certificate.subjectAltName ?? 'nothing'}); start with the trust domain of before, or with another folder`,
    );
  }
  return ok(signerOf(kind, trustDomain, privateKey, certificate));
}

async function makeSigner(
  kind: Kind,
  trustDomain: TrustDomain,
  now: number,
  parent: Signer | undefined,
): Promise<Signer> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = { privateKey, publicKey, name: authorityName(kind, trustDomain) };
  const notAfter = now + (kind === 'root' ? ROOT_LIFE_MS : ISSUER_LIFE_MS);
  const validity = {
    notBefore: now - BACKDATED_MS,
    notAfter: parent ? Math.min(notAfter, parent.certificate.validToDate.getTime()) : notAfter,
  };
  const pem = await makeAuthorityCertificate(kind, trustDomain, publicKey, validity, parent ?? own);
  return signerOf(kind, trustDomain, privateKey, new X509Certificate(pem));
}

/** A certificate is the last to come and, on replacement, the first to go: a crash never leaves one with another's key. */
async function save(directory: string, kind: Kind, signer: Signer): Promise<void> {
  const keyPem = signer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await rm(join(directory, `${kind}.crt`), { force: true });
  await writeFileSafely(join(directory, `${kind}.key`), keyPem, KEY_MODE);
  await writeFileSafely(join(directory, `${kind}.crt`), signer.certificatePem, PUBLIC_MODE);
}

function signerOf(kind: Kind, trustDomain: TrustDomain, privateKey: KeyObject, certificate: X509Certificate): Signer {
  return {
    privateKey,
    publicKey: createPublicKey(privateKey),
    name: authorityName(kind, trustDomain),
    certificate,
    certificatePem: certificate.toString(),
  };
}

function lost(directory: string, missing: string, present: string): string {
  return (
    `${directory} holds ${present} but not ${missing}: the authority is incomplete. Restore what is missing from a ` +
    'backup; to begin with a new root, which no running workload trusts, move the whole folder away'
  );
}

function validityOf(certificate: X509Certificate): Validity {
  return { notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() };
}

function parse<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
