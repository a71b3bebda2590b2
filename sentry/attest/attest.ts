// Who asks, and what proves it? Turns a request into a proven identity, or says why not.
//
//   T1. Only a validator that is enabled is asked, and only the one that the request names.
//   T2. The identity is what the validator has proven, never what the request says; where the two differ, it is refused.
//   T3. Identities of the control plane are given out by the `kubernetes` validator alone, which sees the pods behind
//       them: whoever had one could speak for the mesh itself.
import {
  type Identity,
  isSameTarget,
  type Namespace,
  parseAppId,
  parseNamespace,
  spiffeId,
  type TrustDomain,
} from '../../api/ids.ts';
import type { SignRequest, TokenValidator } from '../../api/proto/sentry.ts';
import { err, ok, type Result } from '../../kit/result.ts';

/** Where a request came from, as far as the connection itself shows. */
export type Origin = 'socket' | 'loopback' | 'network';

export interface Claim {
  readonly identity: Identity;
  readonly token: string;
  readonly origin: Origin;
}

/** Who stood behind a token, for the audit log and for limits. */
export interface Subject {
  /** `namespace/name`. */
  readonly pod: string;
  readonly podUid: string;
  readonly serviceAccount: string;
}

export interface Proof {
  readonly identity: Identity;
  /** Undefined where there is no pod. */
  readonly subject?: Subject | undefined;
}

export interface Doubt {
  /**
   * `not-proven`: what was brought is no proof; `mismatch`: it is one, of somebody else; `not-allowed`: it is, and a
   * policy forbids it; `unavailable`: nobody could be asked, and trying again may help.
   */
  readonly kind: 'not-proven' | 'mismatch' | 'not-allowed' | 'unavailable';
  /** For the caller: holds no secret. */
  readonly reason: string;
  /** As far as it was known. */
  readonly subject?: Subject | undefined;
}

/** Never rejects. */
export type Validator = (claim: Claim) => Promise<Result<Proof, Doubt>>;

export type Validators = Readonly<Partial<Record<TokenValidator, Validator>>>;

export interface AttestRefusal {
  /** As of a doubt; `bad-request`: the request makes no sense. */
  readonly kind: Doubt['kind'] | 'bad-request';
  readonly reason: string;
  readonly subject?: Subject | undefined;
}

export interface AttestOptions {
  readonly trustDomain: TrustDomain;
  readonly controlPlaneNamespace: Namespace;
  readonly validators: Validators;
}

export async function attest(
  request: SignRequest,
  origin: Origin,
  { trustDomain, controlPlaneNamespace, validators }: AttestOptions,
): Promise<Result<Proof, AttestRefusal>> {
  const asked = readIdentity(request, trustDomain);
  if (!asked.ok) return asked;
  if (asked.value.namespace === controlPlaneNamespace && request.validator !== 'kubernetes') {
    return refuse('not-proven', `identities in the namespace ${controlPlaneNamespace} are kept for the control plane`);
  }
  const validator = validators[request.validator];
  if (!validator) {
    const enabled = Object.keys(validators).join(', ');
    const advice = validators.kubernetes ? TO_PODS : (ADVICE[request.validator] ?? '');
    const reason = `token_validator "${request.validator}" is not enabled here; enabled: ${enabled}${advice}`;
    return refuse('bad-request', reason);
  }
  const proof = await validator({ identity: asked.value, token: request.token, origin });
  if (!proof.ok) {
    const reason = `${spiffeId(asked.value)} ${SAYS[proof.error.kind]}: ${proof.error.reason}`;
    return err({ ...proof.error, reason });
  }
  const { identity, subject } = proof.value;
  if (isSameTarget(identity, asked.value)) return proof;
  const reason = `the identity in the request, ${spiffeId(asked.value)}, is not the proven one, ${spiffeId(identity)}`;
  return err({ kind: 'mismatch', reason, subject });
}

const SAYS: Readonly<Record<Doubt['kind'], string>> = {
  'not-proven': 'is not proven',
  mismatch: 'is not who asks',
  'not-allowed': 'is not allowed',
  unavailable: 'could not be proven just now',
};

const TO_PODS = '; this authority serves the pods of its cluster, with their projected tokens';

/** To those who ask for a validator that is not enabled; the flag is that of `invokectl`. */
const ADVICE: Readonly<Partial<Record<TokenValidator, string>>> = {
  insecure: '; bring a token: --token-file FILE',
  jwks: '; a token proves nothing to this authority: leave --token-file out',
};

/** Field by field, each named as in sentry.proto. */
function readIdentity(request: SignRequest, trustDomain: TrustDomain): Result<Identity, AttestRefusal> {
  const app = parseAppId(request.appId);
  if (!app.ok) return refuse('bad-request', `id: ${app.error}`);
  const namespace = parseNamespace(request.namespace);
  if (!namespace.ok) return refuse('bad-request', `namespace: ${namespace.error}`);
  if (request.csr.length === 0) return refuse('bad-request', 'certificate_signing_request: it is missing');
  if (request.trustDomain !== trustDomain) {
    const asked = JSON.stringify(request.trustDomain.slice(0, 80));
    const reason = `trust_domain: this authority signs for ${trustDomain}, not for ${asked}; see --trust-domain`;
    return refuse('not-proven', reason);
  }
  return ok({ trustDomain, namespace: namespace.value, app: app.value });
}

function refuse(kind: AttestRefusal['kind'], reason: string): Result<never, AttestRefusal> {
  return err({ kind, reason });
}
