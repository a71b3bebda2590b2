// Signs: a proven identity and a request's key become a certificate chain.
import type { Identity } from '../../api/ids.ts';
import type { SignReply } from '../../api/proto/sentry.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Authority } from '../authority/authority.ts';
import { makeWorkloadCertificate } from '../authority/certificate.ts';
import { BACKDATED_MS } from '../authority/lifetime.ts';
import { checkWorkloadCertificate } from './check.ts';
import { readCsr } from './csr.ts';

export interface SignRefusal {
  /** `bad-request`: the request is at fault; `internal`: we are, and `reason` is for the log alone. */
  readonly kind: 'bad-request' | 'internal';
  readonly reason: string;
}

export interface Signed {
  readonly reply: SignReply;
  /** In hexadecimal. */
  readonly serial: string;
}

export const CERT_TTL_MIN_MS = 10_000;

/** `identity` was proven before; `now` is epoch milliseconds. The certificate never outlives the issuer's. */
export async function signCertificate(
  authority: Authority,
  csrPem: Buffer,
  identity: Identity,
  now: number,
  ttlMs: number,
): Promise<Result<Signed, SignRefusal>> {
  const publicKey = await readCsr(csrPem);
  if (!publicKey.ok) return err({ kind: 'bad-request', reason: publicKey.error });
  const issuer = await authority.issuer(now);
  if (!issuer.ok) return err({ kind: 'internal', reason: issuer.error });
  const validity = {
    notBefore: now - BACKDATED_MS,
    notAfter: Math.min(now + Math.max(ttlMs, CERT_TTL_MIN_MS), issuer.value.certificate.validToDate.getTime()),
  };
  const pem = await makeWorkloadCertificate(identity, publicKey.value, validity, issuer.value);
  const leaf = checkWorkloadCertificate(pem, {
    ...validity,
    identity,
    publicKey: publicKey.value,
    issuer: issuer.value.certificate,
    root: authority.root,
  });
  if (!leaf.ok) return err({ kind: 'internal', reason: leaf.error });
  const reply = {
    chain: Buffer.from(pem + issuer.value.certificatePem),
    anchors: [Buffer.from(authority.anchorsPem)],
    validUntil: leaf.value.validToDate.getTime(),
  };
  return ok({ reply, serial: leaf.value.serialNumber });
}
