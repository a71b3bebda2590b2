// How the state of an authority moves on: first made, then kept in force. Functions of the state and of the time; who
// calls them, and when, is the business of authority.ts and replica.ts.
import type { TrustDomain } from '../../api/ids.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { stageOf } from './lifetime.ts';
import { makeSigner, validityOf } from './signer.ts';
import { type AuthorityState, type Place, type StoredState, steady } from './state.ts';
import type { Updated } from './store.ts';

/** How long a prepared issuer waits to be activated: every replica has read the state several times by then. */
export const PREPARED_MS = 60_000;

/** Makes what is missing. A root that is not in force is for a person to judge. */
export async function complete(
  state: StoredState | undefined,
  place: Place,
  trustDomain: TrustDomain,
  now: number,
): Promise<Result<AuthorityState>> {
  const root = state?.root ?? steady(await makeSigner('root', trustDomain, now, undefined));
  const stage = stageOf(validityOf(root.active), now);
  if (stage === 'expired' || stage === 'not-yet-valid') {
    return err(
      `${place.entry('root.crt')} is ${stage} by the clock here, ${new Date(now).toISOString()}; set the clock right, ` +
        `or ${place.startOver} to begin with a new root`,
    );
  }
  const issuer = state?.issuer ?? steady(await makeSigner('issuer', trustDomain, now, root.active));
  return ok({ root, issuer });
}

/** At once, where nobody else signs by the same state. */
export async function replaceIssuer(
  state: AuthorityState,
  trustDomain: TrustDomain,
  now: number,
): Promise<AuthorityState> {
  if (stageOf(validityOf(state.issuer.active), now) === 'in-force') return state;
  return { ...state, issuer: steady(await makeSigner('issuer', trustDomain, now, state.root.active)) };
}

/** One step of a replacement that others follow: prepare, wait until all have seen it, activate. */
export async function stepIssuer(
  state: AuthorityState,
  trustDomain: TrustDomain,
  now: number,
): Promise<AuthorityState> {
  const { root, issuer } = state;
  const stage = stageOf(validityOf(issuer.active), now);
  if (stage === 'in-force') return state;
  const next = issuer.phase === 'prepared' ? issuer.second : await makeSigner('issuer', trustDomain, now, root.active);
  const sinceMs = issuer.phase === 'prepared' ? issuer.sinceMs : now;
  // With nothing left to sign by, waiting would help nobody.
  const isDue = stage !== 'replace' || now - sinceMs >= PREPARED_MS;
  if (isDue) return { root, issuer: steady(next) };
  return issuer.phase === 'prepared'
    ? state
    : { root, issuer: { phase: 'prepared', active: issuer.active, second: next, sinceMs } };
}

/** To the log, what an update has changed. */
export function announce(log: Log, { before, after }: Updated, now: number): void {
  const root = after.root.active.certificate;
  const issuer = after.issuer.active.certificate;
  const trustDomain = root.subjectAltName?.replace(/^URI:spiffe:\/\//, '');
  if (before?.root !== after.root) {
    log.info('a new root was made', { trustDomain, fingerprint: root.fingerprint256 });
  }
  if (before?.issuer?.active !== after.issuer.active) {
    const what = before?.issuer?.phase === 'prepared' ? 'the prepared issuer was activated' : 'a new issuer was made';
    log.info(what, { trustDomain, notAfter: issuer.validToDate.toISOString() });
  } else if (after.issuer.phase === 'prepared' && before.issuer !== after.issuer) {
    log.info('the next issuer was prepared', { trustDomain, activeFrom: new Date(now + PREPARED_MS).toISOString() });
  }
  if (stageOf(validityOf(after.root.active), now) === 'replace') {
    log.warn('the root nears its end; plan a new one', { notAfter: root.validToDate.toISOString() });
  }
}
