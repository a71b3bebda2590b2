// The last look at what the authority sent, before anybody relies on it: is it ours, as asked, and of use now?
import type { KeyObject } from 'node:crypto';
import { type Identity, spiffeId } from '../api/ids.ts';
import type { SignReply } from '../api/proto/sentry.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { readCertificates, verifyChain } from './chain.ts';
import type { Credentials } from './svid.ts';
import { readPeerCertificate } from './tls.ts';

export interface Asked {
  readonly identity: Identity;
  readonly publicKey: KeyObject;
  /** PEM, PKCS #8: the private half. */
  readonly keyPem: string;
  /** PEM. Anchors we were given beforehand; undefined: those of the reply are taken. */
  readonly anchorsPem: string | undefined;
}

/** The credentials that a reply makes, or what is wrong with it. `now` is epoch milliseconds. */
export function acceptIssued(reply: SignReply, asked: Asked, now: number): Result<Credentials> {
  const chainPem = reply.chain.toString('latin1');
  const chain = readCertificates(chainPem);
  if (!chain.ok) return err(`the certificate chain is unusable: ${chain.error}`);
  const anchorsPem = asked.anchorsPem ?? reply.anchors.map((anchor) => anchor.toString('latin1')).join('\n');
  const anchors = readCertificates(anchorsPem);
  if (!anchors.ok) return err(`the trust anchors are unusable: ${anchors.error}`);
  const [leaf] = chain.value;
  if (!leaf?.publicKey.equals(asked.publicKey)) return err('the certificate is for another key than ours');
  const proven = readPeerCertificate(leaf, asked.identity.trustDomain, now);
  if (!proven.ok) return proven;
  if (spiffeId(proven.value.identity) !== spiffeId(asked.identity)) {
    return err(`the certificate is for ${spiffeId(proven.value.identity)}, not for ${spiffeId(asked.identity)}`);
  }
  const verified = verifyChain(chain.value, anchors.value, now);
  if (!verified.ok) return err(`the certificate is not to be trusted: ${verified.error}`);
  return ok({
    svid: {
      identity: asked.identity,
      chainPem,
      keyPem: asked.keyPem,
      notBefore: leaf.validFromDate.getTime(),
      notAfter: proven.value.notAfter,
    },
    anchors: anchors.value.map((anchor) => anchor.toString()),
  });
}
