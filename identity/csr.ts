// The request for a certificate: a fresh key, and a PKCS #10 that shows we hold it (RFC 2986).
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { bitString, context, integer, oid, pem, sequence } from './der.ts';

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

export interface CertificateRequest {
  readonly csrPem: string;
  /** PEM, PKCS #8. */
  readonly keyPem: string;
  readonly publicKey: KeyObject;
}

/** A new P-256 key each time. The subject is empty: the authority decides by its proof who asks, not by what we say. */
export function makeCsr(): CertificateRequest {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const info = sequence(integer(Buffer.from([0])), sequence(), spki, context(0, 'constructed'));
  const signature = sign('sha256', info, privateKey);
  return {
    csrPem: pem('CERTIFICATE REQUEST', sequence(info, sequence(oid(ECDSA_WITH_SHA256)), bitString(signature))),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey,
  };
}
