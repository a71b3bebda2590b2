// The certificates that this authority makes, as templates: three kinds, in which nothing comes from a request but a key.
import 'reflect-metadata';
import type { KeyObject } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';
import { type Identity, spiffeId, type TrustDomain } from '../../api/ids.ts';
import { makeCertificate, type SigningParty, type Validity } from '../../pki/certificate.ts';

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
  return makeCertificate({ subject: authorityName(kind, trustDomain), publicKey, validity, extensions }, signer);
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
  return makeCertificate({ subject: '', publicKey, validity, extensions }, signer);
}
