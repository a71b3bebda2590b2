// One certificate that signs, with its key: made, read from PEM, and held against what it has to be.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import type { TrustDomain } from '../../api/ids.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { SigningParty, Validity } from '../../pki/certificate.ts';
import { authorityName, makeAuthorityCertificate } from './certificate.ts';
import { BACKDATED_MS, ISSUER_LIFE_MS, ROOT_LIFE_MS } from './lifetime.ts';

export type SignerKind = 'root' | 'issuer';

export interface Signer extends SigningParty {
  readonly certificate: X509Certificate;
  readonly certificatePem: string;
}

/** A root signs itself; an issuer is signed by its `parent`, which it does not outlive. */
export async function makeSigner(
  kind: SignerKind,
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

export interface SignerText {
  readonly key: string;
  readonly certificate: string;
  /** Where they were found, for messages: `/…/root.key`. */
  readonly keyPlace: string;
  readonly certificatePlace: string;
}

/** Or what is wrong with it, where, and what to do. */
export function readSigner(kind: SignerKind, trustDomain: TrustDomain, text: SignerText): Result<Signer> {
  const { keyPlace, certificatePlace } = text;
  const privateKey = parse(() => createPrivateKey(text.key));
  if (!privateKey) return err(`${keyPlace} is damaged: it holds no private key; restore it`);
  const certificate = parse(() => new X509Certificate(text.certificate));
  if (!certificate) return err(`${certificatePlace} is damaged: it holds no certificate; restore it`);
  if (!certificate.checkPrivateKey(privateKey)) {
    return err(`${keyPlace} is not the key of ${certificatePlace}; restore the one that is`);
  }
  if (certificate.subjectAltName !== `URI:spiffe://${trustDomain}` || !certificate.ca) {
    return err(
      `${certificatePlace} is not an authority of the trust domain ${trustDomain} (it says ` +
        `${certificate.subjectAltName ?? 'nothing'}); start with the trust domain of before, or keep the new one elsewhere`,
    );
  }
  return ok(signerOf(kind, trustDomain, privateKey, certificate));
}

/** PKCS #8, PEM. */
export function keyPemOf({ privateKey }: Signer): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function isSignedBy(signer: Signer, parent: Signer): boolean {
  return signer.certificate.checkIssued(parent.certificate) && signer.certificate.verify(parent.publicKey);
}

export function validityOf({ certificate }: Signer): Validity {
  return { notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() };
}

function signerOf(
  kind: SignerKind,
  trustDomain: TrustDomain,
  privateKey: KeyObject,
  certificate: X509Certificate,
): Signer {
  return {
    privateKey,
    publicKey: createPublicKey(privateKey),
    name: authorityName(kind, trustDomain),
    certificate,
    certificatePem: certificate.toString(),
  };
}

function parse<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
