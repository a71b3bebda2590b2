// The certificates that this authority makes, as templates: three kinds, in which nothing comes from a request but a key.
import 'reflect-metadata';
import { type KeyObject, randomBytes } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { type Identity, spiffeId, type TrustDomain } from '../../api/ids.ts';

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

/** `kind` is said in the name, for people; machines go by the keys. */
export function authorityName(kind: 'root' | 'issuer', trustDomain: TrustDomain): string {
  return `CN=Invoke ${kind} for ${trustDomain}`;
}

/** A root signs itself: `signer` is the party that the certificate is about. PEM. */
export function makeAuthorityCertificate(
  kind: 'root' | 'issuer',
  trustDomain: TrustDomain,
  publicKey: KeyObject,
  validity: Validity,
  signer: SigningParty,
): Promise<string> {
  const extensions = [
    new BasicConstraintsExtension(true, kind === 'root' ? 1 : 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    // A signing certificate names its trust domain, without a path (X509-SVID, 3.2).
    new SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
  ];
  return make(authorityName(kind, trustDomain), publicKey, validity, extensions, signer);
}

/** X.509-SVID of a workload: no subject, so its one name is critical (RFC 5280, 4.2.1.6). PEM. */
export function makeWorkloadCertificate(
  identity: Identity,
  publicKey: KeyObject,
  validity: Validity,
  signer: SigningParty,
): Promise<string> {
  const extensions = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension([{ type: 'url', value: spiffeId(identity) }], true),
  ];
  return make('', publicKey, validity, extensions, signer);
}

async function make(
  subject: string,
  publicKey: KeyObject,
  validity: Validity,
  extensions: Extension[],
  signer: SigningParty,
): Promise<string> {
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
