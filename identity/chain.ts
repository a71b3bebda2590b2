// Does a chain of certificates lead to our trust anchors? For certificates that came in a message; those of a TLS peer
// are verified by the platform.
import { X509Certificate } from 'node:crypto';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { checkDates } from './tls.ts';

/** Leaf, issuer, and room for two more: real chains have two or three. */
const CHAIN_LENGTH_MAX = 4;

/** The certificates of a PEM text, in order. Anything in it that is no certificate is an error. */
export function readCertificates(text: string): Result<readonly X509Certificate[]> {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return err('there is no certificate in it');
  try {
    return ok(blocks.map((block) => new X509Certificate(block)));
  } catch (error) {
    return err(`a certificate in it cannot be read (${messageOf(error)})`);
  }
}

/** `chain` is a leaf, then its issuers. Each must be signed by the next, authorities must be such, and all in force. */
export function verifyChain(
  chain: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  now: number,
): Result<undefined> {
  if (chain.length > CHAIN_LENGTH_MAX) return err(`the chain has more than ${CHAIN_LENGTH_MAX} certificates`);
  for (const [index, certificate] of chain.entries()) {
    const inForce = checkDates(certificate, now);
    if (!inForce.ok) return inForce;
    const anchor = anchors.find((candidate) => isIssuedBy(certificate, candidate));
    if (anchor) return checkDates(anchor, now);
    const next = chain[index + 1];
    if (!next || !isIssuedBy(certificate, next)) break;
  }
  return err('its chain does not lead to the trust anchors');
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
