// One request from end to end: prove, sign, write down what was done. The only maker of answers and refusals.
//
// What costs little comes first: how often a place asks is bounded before anybody is asked for proof, and how often a pod
// asks is bounded once it is proven which one it is.
import { spiffeId } from '../api/ids.ts';
import { decodeSignRequest, encodeSignReply, type SignRequest } from '../api/proto/sentry.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { type AttestOptions, attest, type Doubt, type Origin, type Proof, type Subject } from './attest/attest.ts';
import type { Authority } from './authority/authority.ts';
import { Limiter } from './limit.ts';
import { type Signed, signCertificate } from './sign/sign.ts';

export interface CaOptions extends Omit<AttestOptions, 'trustDomain'> {
  readonly authority: Authority;
  readonly workloadCertTtlMs: number;
  readonly clock: Clock;
  /** One line for each certificate and each refusal. */
  readonly audit: Log;
  readonly log: Log;
  /** What became of a request, and how long that took. */
  readonly observe?: (outcome: Outcome, durationMs: number) => void;
}

/** Where a request comes from, as its connection shows. */
export interface Source {
  readonly origin: Origin;
  /** Without the port; empty for a Unix socket. */
  readonly address: string;
}

/** `busy`: too many at once; `rate-limited`: too many from one place, or of one pod. */
export type RefusalReason = Doubt['kind'] | 'bad-request' | 'rate-limited' | 'busy' | 'internal';
export type Outcome = 'issued' | RefusalReason;

export interface Refusal {
  readonly reason: RefusalReason;
  /** For the caller. */
  readonly message: string;
}

/** Takes and gives the messages of sentry.proto, as bytes. Never rejects. */
export type Ca = (message: Buffer, source: Source) => Promise<Result<Buffer, Refusal>>;

/** A node's pods may share one address, and all of them come at once when the sentry was away. */
const RATE_BY_ADDRESS = { burst: 200, perSec: 20 };
const ADDRESSES_MAX = 10_000;
/** A pod asks twice a day, and again when its sidecar starts anew. */
const RATE_BY_POD = { burst: 10, perSec: 10 / 60 };
const PODS_MAX = 50_000;
/** Each may hold a question to the API server open. */
const AT_ONCE_MAX = 128;

export function createCa(options: CaOptions): Ca {
  const { clock, log, observe } = options;
  const desk: Desk = {
    ...options,
    byAddress: new Limiter(RATE_BY_ADDRESS, ADDRESSES_MAX, clock),
    byPod: new Limiter(RATE_BY_POD, PODS_MAX, clock),
  };
  let atOnce = 0;
  async function guarded(message: Buffer, source: Source): Promise<Result<Buffer, Refusal>> {
    atOnce += 1;
    try {
      return await admit(desk, message, source, atOnce);
    } catch (error) {
      log.error('a request met a bug', { error: error instanceof Error ? error.stack : String(error) });
      return INTERNAL;
    } finally {
      atOnce -= 1;
    }
  }
  return async (message, source) => {
    const startedAtMs = clock.elapsed();
    const answer = await guarded(message, source);
    observe?.(answer.ok ? 'issued' : answer.error.reason, clock.elapsed() - startedAtMs);
    return answer;
  };
}

const INTERNAL = err<Refusal>({
  reason: 'internal',
  message: 'the sentry could not sign; the reason is in its log',
});

interface Desk extends CaOptions {
  readonly byAddress: Limiter;
  readonly byPod: Limiter;
}

async function admit(desk: Desk, message: Buffer, source: Source, atOnce: number): Promise<Result<Buffer, Refusal>> {
  const fields = { origin: source.origin, source: source.address };
  const verdict = source.origin === 'network' ? desk.byAddress.take(source.address) : 'granted';
  const tooOften = `too many requests from ${source.address}; try again later`;
  // Whoever floods us is not to flood the log, too.
  if (verdict === 'refused-again') return err({ reason: 'rate-limited', message: tooOften });
  if (verdict === 'refused') return refuse(desk, 'rate-limited', tooOften, fields);
  if (atOnce > AT_ONCE_MAX) return refuse(desk, 'busy', 'too many requests at once; try again later', fields);
  const request = decodeSignRequest(message);
  if (!request.ok) return refuse(desk, 'bad-request', `the request is not readable: ${request.error}`, fields);
  return serve(desk, request.value, source.origin, fields);
}

type AuditFields = Readonly<Record<string, string | undefined>>;

async function serve(
  desk: Desk,
  request: SignRequest,
  origin: Origin,
  fields: AuditFields,
): Promise<Result<Buffer, Refusal>> {
  const { authority, controlPlaneNamespace, validators } = desk;
  const { appId, namespace, validator } = request;
  // As asked, not as proven; cut, because a stranger chose how long it is.
  const asked = { asked: `${namespace.slice(0, 64)}/${appId.slice(0, 64)}`, validator, ...fields };
  const proof = await attest(request, origin, {
    trustDomain: authority.trustDomain,
    controlPlaneNamespace,
    validators,
  });
  if (!proof.ok) {
    const { kind, reason, subject } = proof.error;
    return refuse(desk, kind, reason, { ...asked, ...fieldsOf(subject) });
  }
  const known = { ...asked, ...fieldsOf(proof.value.subject) };
  if (proof.value.subject && desk.byPod.take(proof.value.subject.podUid) !== 'granted') {
    return refuse(
      desk,
      'rate-limited',
      `too many requests of the pod ${proof.value.subject.pod}; try again later`,
      known,
    );
  }
  return sign(desk, request.csr, proof.value, known);
}

async function sign(desk: Desk, csr: Buffer, proof: Proof, known: AuditFields): Promise<Result<Buffer, Refusal>> {
  const { authority, clock, workloadCertTtlMs } = desk;
  const signed = await signCertificate(authority, csr, proof.identity, clock.now(), workloadCertTtlMs);
  if (!signed.ok && signed.error.kind === 'internal') {
    refuse(desk, 'internal', signed.error.reason, known);
    return INTERNAL;
  }
  if (!signed.ok) return refuse(desk, 'bad-request', signed.error.reason, known);
  auditIssued(desk, proof, signed.value, known);
  return ok(encodeSignReply(signed.value.reply));
}

function fieldsOf(subject: Subject | undefined): AuditFields {
  return subject ? { pod: subject.pod, podUid: subject.podUid, serviceAccount: subject.serviceAccount } : {};
}

function auditIssued({ audit }: Desk, { identity }: Proof, { reply, serial }: Signed, known: AuditFields): void {
  const notAfter = new Date(reply.validUntil).toISOString();
  audit.info('certificate issued', { identity: spiffeId(identity), ...known, serial, notAfter });
}

function refuse({ audit }: Desk, reason: RefusalReason, message: string, fields: AuditFields): Result<never, Refusal> {
  audit.warn('certificate refused', { ...fields, code: reason, reason: message });
  return err({ reason, message });
}
