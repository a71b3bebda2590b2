// The last look at a certificate before it leaves, by another implementation than the one that made it.
import { type KeyObject, X509Certificate } from 'node:crypto';
import { type Identity, spiffeId } from '../../api/ids.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Validity } from '../../pki/certificate.ts';

export interface Intended extends Validity {
  readonly identity: Identity;
  readonly publicKey: KeyObject;
  readonly issuer: X509Certificate;
  readonly root: X509Certificate;
}

/** The certificate, or how it differs from what was intended: a fault of ours, then. */
export function checkWorkloadCertificate(pem: string, intended: Intended): Result<X509Certificate> {
  const { issuer, root } = intended;
  const leaf = new X509Certificate(pem);
  const demands: readonly [string, boolean][] = [
    ['is signed by the issuer', leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey)],
    ['chains to the root', issuer.checkIssued(root) && issuer.verify(root.publicKey) && issuer.ca && root.ca],
    ["has the request's key", leaf.publicKey.equals(intended.publicKey)],
    ['has the proven identity as its only name', leaf.subjectAltName === `URI:${spiffeId(intended.identity)}`],
    ['has no subject', !leaf.subject],
    ['is no authority', !leaf.ca],
    ['begins when intended', leaf.validFromDate.getTime() === wholeSeconds(intended.notBefore)],
    ['ends when intended', leaf.validToDate.getTime() === wholeSeconds(intended.notAfter)],
    ['ends no later than the issuer', leaf.validToDate <= issuer.validToDate],
  ];
  const broken = demands.filter(([, holds]) => !holds).map(([demand]) => demand);
  return broken.length === 0 ? ok(leaf) : err(`it is not true that the certificate ${broken.join(', and ')}`);
}

function wholeSeconds(epochMs: number): number {
  return Math.floor(epochMs / 1000) * 1000;
}
