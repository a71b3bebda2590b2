// When a signing certificate is to be replaced: a pure function of the time and its dates.
import type { Validity } from '../../pki/certificate.ts';

const DAY_MS = 24 * 3_600_000;
export const ROOT_LIFE_MS = 10 * 365 * DAY_MS;
export const ISSUER_LIFE_MS = 365 * DAY_MS;
/** Clocks in a fleet differ by seconds, and a certificate must be good the moment that it arrives. */
export const BACKDATED_MS = 60_000;

/** `replace` is early enough that no certificate of a workload is cut short by its issuer's end. */
export type Stage = 'in-force' | 'replace' | 'expired' | 'not-yet-valid';

/** The last third of a life is for replacing: with a year's life, four months in which it may fail. */
export function stageOf({ notBefore, notAfter }: Validity, now: number): Stage {
  if (now >= notAfter) return 'expired';
  if (now < notBefore) return 'not-yet-valid';
  return now < notAfter - (notAfter - notBefore) / 3 ? 'in-force' : 'replace';
}
