// The sentry's own certificate, which it shows to those who come over TLS: it is a client of itself, without the way over
// a socket.
import type { Identity } from '../api/ids.ts';
import { makeCsr } from '../identity/csr.ts';
import { acceptIssued } from '../identity/issued.ts';
import type { SentryFailure } from '../identity/sentry-client.ts';
import { type IdentitySource, keepInForce } from '../identity/source.ts';
import type { Credentials } from '../identity/svid.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { err, type Result } from '../kit/result.ts';
import type { Authority } from './authority/authority.ts';
import { signCertificate } from './sign/sign.ts';

export interface OwnCertificate {
  readonly source: IdentitySource;
  readonly first: Credentials;
}

/** Settles once there is one. */
export async function keepOwnCertificate(
  authority: Authority,
  identity: Identity,
  ttlMs: number,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<OwnCertificate> {
  const source = keepInForce({
    identity,
    clock,
    log,
    // It asks nobody else, so there is no crowd to spread.
    random: () => 0.5,
    ask(done) {
      let isWanted = true;
      void issueOwn(authority, identity, clock.now(), ttlMs).then((outcome) => isWanted && done(outcome));
      return () => {
        isWanted = false;
      };
    },
  });
  const first = await new Promise<Credentials>((settle) => {
    const cancel = source.credentials.changed((credentials) => {
      cancel();
      if (credentials) settle(credentials);
    });
  });
  return { source, first };
}

async function issueOwn(
  authority: Authority,
  identity: Identity,
  now: number,
  ttlMs: number,
): Promise<Result<Credentials, SentryFailure>> {
  const { csrPem, keyPem, publicKey } = makeCsr();
  const signed = await signCertificate(authority, Buffer.from(csrPem), identity, now, ttlMs);
  if (!signed.ok) return err({ kind: 'refused', message: signed.error.reason });
  const asked = { identity, publicKey, keyPem, anchorsPem: authority.anchorsPem };
  const accepted = acceptIssued(signed.value.reply, asked, now);
  return accepted.ok ? accepted : err({ kind: 'untrusted', message: accepted.error });
}
