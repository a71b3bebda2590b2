// One request from end to end: prove, sign, write down what was done. The only maker of answers and refusals.
import { type Identity, spiffeId } from '../api/ids.ts';
import { decodeSignRequest, encodeSignReply } from '../api/proto/sentry.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { attest, type Origin, type Validators } from './attest/attest.ts';
import type { Authority } from './authority/authority.ts';
import { signCertificate } from './sign/sign.ts';

export interface CaOptions {
  readonly authority: Authority;
  readonly validators: Validators;
  readonly workloadCertTtlMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Refusal {
  readonly code: 'invalid-argument' | 'permission-denied' | 'internal';
  /** For the caller. */
  readonly message: string;
}

/** Takes and gives the messages of sentry.proto, as bytes. Never rejects. */
export type Ca = (message: Buffer, origin: Origin) => Promise<Result<Buffer, Refusal>>;

export function createCa(options: CaOptions): Ca {
  return async (message, origin) => {
    try {
      return await serve(options, message, origin);
    } catch (error) {
      options.log.error('a request met a bug', { error: error instanceof Error ? error.stack : String(error) });
      return INTERNAL;
    }
  };
}

const INTERNAL = err<Refusal>({
  code: 'internal',
  message: 'the sentry could not sign; the reason is in its log',
});

async function serve(options: CaOptions, message: Buffer, origin: Origin): Promise<Result<Buffer, Refusal>> {
  const { authority, validators, workloadCertTtlMs, clock, log } = options;
  const request = decodeSignRequest(message);
  if (!request.ok) return refuse(log, 'invalid-argument', `the request is not readable: ${request.error}`, { origin });
  const { appId, namespace, validator } = request.value;
  // As asked, not as proven; cut, because a stranger chose how long it is.
  const asked = { asked: `${namespace.slice(0, 64)}/${appId.slice(0, 64)}`, validator, origin };
  const proven = await attest(request.value, origin, authority.trustDomain, validators);
  if (!proven.ok) {
    const code = proven.error.kind === 'bad-request' ? 'invalid-argument' : 'permission-denied';
    return refuse(log, code, proven.error.reason, asked);
  }
  const signed = await signCertificate(authority, request.value.csr, proven.value, clock.now(), workloadCertTtlMs);
  if (!signed.ok && signed.error.kind === 'internal') {
    refuse(log, 'internal', signed.error.reason, asked);
    return INTERNAL;
  }
  if (!signed.ok) return refuse(log, 'invalid-argument', signed.error.reason, asked);
  const { reply, serial } = signed.value;
  audit(log, proven.value, { ...asked, serial, notAfter: new Date(reply.validUntil).toISOString() });
  return ok(encodeSignReply(reply));
}

type AuditFields = Readonly<Record<string, string>>;

function audit(log: Log, identity: Identity, fields: AuditFields): void {
  log.info('certificate issued', { identity: spiffeId(identity), ...fields });
}

function refuse(log: Log, code: Refusal['code'], message: string, fields: AuditFields): Result<never, Refusal> {
  log.warn('certificate refused', { ...fields, code, reason: message });
  return err({ code, message });
}
