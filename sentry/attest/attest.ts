// Who asks, and what proves it? Turns a request into a proven identity, or says why not.
//
//   T1. Only a validator that is enabled is asked, and only the one that the request names.
//   T2. No validator here gives out an identity of the control plane: whoever had one could speak for the mesh itself.
import { type Identity, parseAppId, parseNamespace, spiffeId, type TrustDomain } from '../../api/ids.ts';
import type { SignRequest, TokenValidator } from '../../api/proto/sentry.ts';
import { CONTROL_PLANE_NAMESPACE } from '../../identity/svid.ts';
import { err, ok, type Result } from '../../kit/result.ts';

/** Where a request came from, as far as the connection itself shows. */
export type Origin = 'socket' | 'loopback' | 'network';

export interface Claim {
  readonly identity: Identity;
  readonly token: string;
  readonly origin: Origin;
}

/** Says nothing, or why the claim is not proven: without secrets, for the caller. Never rejects. */
export type Validator = (claim: Claim) => Promise<string | undefined>;

export interface AttestRefusal {
  /** `bad-request`: the request makes no sense; `not-proven`: it does, and is not believed. */
  readonly kind: 'bad-request' | 'not-proven';
  readonly reason: string;
}

export type Validators = Readonly<Partial<Record<TokenValidator, Validator>>>;

export async function attest(
  request: SignRequest,
  origin: Origin,
  trustDomain: TrustDomain,
  validators: Validators,
): Promise<Result<Identity, AttestRefusal>> {
  const identity = readIdentity(request, trustDomain);
  if (!identity.ok) return identity;
  if (identity.value.namespace === CONTROL_PLANE_NAMESPACE) {
    return notProven(`identities in the namespace ${CONTROL_PLANE_NAMESPACE} are kept for the control plane`);
  }
  const validator = validators[request.validator];
  if (!validator) {
    const enabled = Object.keys(validators).join(', ');
    const advice = ADVICE[request.validator] ?? '';
    return badRequest(`token_validator "${request.validator}" is not enabled here; enabled: ${enabled}${advice}`);
  }
  const doubt = await validator({ identity: identity.value, token: request.token, origin });
  return doubt === undefined ? identity : notProven(`${spiffeId(identity.value)} is not proven: ${doubt}`);
}

/** To those who ask for a validator that is not enabled; the flag is that of `invokectl`. */
const ADVICE: Readonly<Partial<Record<TokenValidator, string>>> = {
  insecure: '; bring a token: --token-file FILE',
  jwks: '; a token proves nothing to this authority: leave --token-file out',
};

/** Field by field, each named as in sentry.proto. */
function readIdentity(request: SignRequest, trustDomain: TrustDomain): Result<Identity, AttestRefusal> {
  const app = parseAppId(request.appId);
  if (!app.ok) return badRequest(`id: ${app.error}`);
  const namespace = parseNamespace(request.namespace);
  if (!namespace.ok) return badRequest(`namespace: ${namespace.error}`);
  if (request.csr.length === 0) return badRequest('certificate_signing_request: it is missing');
  if (request.trustDomain !== trustDomain) {
    const asked = JSON.stringify(request.trustDomain.slice(0, 80));
    return notProven(`trust_domain: this authority signs for ${trustDomain}, not for ${asked}; see --trust-domain`);
  }
  return ok({ trustDomain, namespace: namespace.value, app: app.value });
}

function badRequest(reason: string): Result<never, AttestRefusal> {
  return err({ kind: 'bad-request', reason });
}

function notProven(reason: string): Result<never, AttestRefusal> {
  return err({ kind: 'not-proven', reason });
}
