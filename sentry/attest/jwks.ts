// Proof by a signed token (JWT, RFC 7519) whose subject is the SPIFFE ID that is asked for.
import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { parseSpiffeId, spiffeId } from '../../api/ids.ts';
import type { Clock } from '../../kit/clock.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { Doubt, Validator } from './attest.ts';

export interface JwksConfig {
  /** A JWK Set (RFC 7517). The file is read at each request: keys are rotated by replacing it. */
  readonly keys: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'url'; readonly url: URL };
  /** Checked when given. */
  readonly issuer?: string | undefined;
  /** The sentry's own SPIFFE ID when left out. */
  readonly audience?: string | undefined;
}

const TOKEN_BYTES_MAX = 16 * 1024;

/** Asymmetric alone: with HS256 the public key in the set would be the secret, and `none` proves nothing. */
const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
];

export function jwksValidator(config: JwksConfig, defaultAudience: string, clock: Clock, log: Log): Validator {
  const audience = config.audience ?? defaultAudience;
  const keys = config.keys.kind === 'url' ? createRemoteJWKSet(config.keys.url) : keysOfFile(config.keys.path);
  return async ({ identity, token }) => {
    if (token === '') return notProven('the request brings no token');
    if (token.length > TOKEN_BYTES_MAX) return notProven(`the token is larger than ${TOKEN_BYTES_MAX} bytes`);
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ALGORITHMS,
        audience,
        subject: spiffeId(identity),
        currentDate: new Date(clock.now()),
        requiredClaims: ['exp', 'sub', 'aud'],
        ...(config.issuer === undefined ? {} : { issuer: config.issuer }),
      });
      const proven = parseSpiffeId(payload.sub ?? '');
      return proven.ok ? ok({ identity: proven.value }) : notProven(proven.error);
    } catch (error) {
      log.warn('a token was refused', { identity: spiffeId(identity), cause: String(error) });
      return notProven(explain(error));
    }
  };
}

function keysOfFile(path: string): JWTVerifyGetKey {
  return async (header, token) => (await readKeys(path))(header, token);
}

/** Throws what the file system, the JSON parser or the library says of a file that is no JWK Set. */
async function readKeys(path: string): Promise<JWTVerifyGetKey> {
  const set: JSONWebKeySet = JSON.parse(await readFile(path, 'utf8'));
  return createLocalJWKSet(set);
}

/** Whether the keys can be used as they are now. Those behind a URL are fetched when they are first needed. */
export async function checkKeys({ keys }: JwksConfig): Promise<Result<void>> {
  if (keys.kind === 'url') return ok(undefined);
  try {
    await readKeys(keys.path);
    return ok(undefined);
  } catch (error) {
    return err(`the keys that tokens are checked with cannot be read from ${keys.path}: ${whyUnreadable(error)}`);
  }
}

function whyUnreadable(error: unknown): string {
  const shape = 'a JWK Set is {"keys": […]}, see RFC 7517';
  if (error instanceof SyntaxError) return `it is not JSON; ${shape}`;
  if (error instanceof errors.JWKSInvalid) return `it is JSON, but no JWK Set; ${shape}`;
  if (codeOf(error) === 'ENOENT') return 'there is no such file; check the path';
  return `${messageOf(error)}; check the path and who may read it`;
}

function notProven(reason: string): Result<never, Doubt> {
  return err({ kind: 'not-proven', reason });
}

/** What the caller may know: which rule its token broke. Paths, addresses and key material are for the log. */
function explain(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `the token's claim "${error.claim}" ${CLAIM[error.reason] ?? 'is not accepted'}`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the token's signature does not verify";
  if (error instanceof errors.JWKSNoMatchingKey) return 'no key of ours fits the token';
  if (error instanceof errors.JOSEAlgNotAllowed) return "the token's algorithm is not allowed";
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) return 'the token is not a JWT';
  return 'the token could not be checked; the reason is in the log of the sentry';
}

const CLAIM: Readonly<Record<string, string>> = {
  missing: 'is missing',
  check_failed: 'does not fit this request',
  invalid: 'is malformed',
};
