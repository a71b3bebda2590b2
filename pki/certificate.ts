// Makes X.509 certificates: P-256 keys, random serial numbers, key identifiers. What a certificate says beyond that is
// its template's matter (sentry/authority/certificate.ts, operator/webhook/certificates.ts).
import 'reflect-metadata';
import { type KeyObject, randomBytes } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  type Extension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** Who signs: a P-256 key, and the name and key identifier that the signed certificate refers to. */
export interface SigningParty {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** As the library writes names: `CN=…`. */
  readonly name: string;
}

/** Epoch milliseconds; whole seconds remain. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface CertificateTemplate {
  /** Empty for none; then a name among the extensions has to be critical (RFC 5280, 4.2.1.6). */
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly validity: Validity;
  readonly extensions: readonly Extension[];
}

/** A root signs itself: `signer` is the party that the certificate is about. PEM. */
export async function makeCertificate(template: CertificateTemplate, signer: SigningParty): Promise<string> {
  const { subject, publicKey, validity, extensions } = template;
  const spki = derOf(publicKey);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: signer.name,
    notBefore: new Date(validity.notBefore),
    notAfter: new Date(validity.notAfter),
    publicKey: spki,
    signingKey: signer.privateKey.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(spki),
      await AuthorityKeyIdentifierExtension.create(derOf(signer.publicKey)),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** 16 random octets. The two highest bits are fixed, so that the number is positive and all of them count. */
function newSerial(): string {
  const octets = randomBytes(16);
  octets[0] = ((octets[0] ?? 0) & 0x3f) | 0x40;
  return octets.toString('hex');
}

function derOf(publicKey: KeyObject): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' }));
}
