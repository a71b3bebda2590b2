// Proof by a pod's projected token: the API server says which pod it was made for, and that pod, as it is at this moment,
// says who it is.
//
//   K1. The token counts only for our audience, and only while it is bound to a pod. A token for the API server, or one
//       of a ServiceAccount at large, proves nothing here.
//   K2. The pod is read from the API server for each request, never from a cache: its UID is the token's, it has not
//       ended, and its label and annotation agree on its app id. A pod that drains may still renew.
//   K3. In our own namespace two ServiceAccounts have identities, the sentry's and the operator's, and nobody else.
//   K4. What cannot be asked is refused as unavailable, so that clients try again; nothing is taken for granted.
import type { V1Pod, V1TokenReview, V1TokenReviewStatus } from '@kubernetes/client-node';
import { type Identity, type Namespace, parseAppId, parseNamespace, type TrustDomain } from '../../api/ids.ts';
import { APP_ID_KEY, OPERATOR, SENTRY, sentryAudience } from '../../api/pod.ts';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import type { Log } from '../../kit/log.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { excerpt } from '../../kit/text.ts';
import { NAMESPACE_POLICIES } from '../../kube/custom.ts';
import type { Kube, KubeFailure } from '../../kube/kube.ts';
import { PODS, TOKEN_REVIEWS } from '../../kube/types.ts';
import type { Doubt, Subject, Validator } from './attest.ts';

export interface KubernetesValidatorOptions {
  readonly kube: Pick<Kube, 'get' | 'create'>;
  readonly trustDomain: TrustDomain;
  /** Our own. */
  readonly controlPlaneNamespace: Namespace;
  readonly log: Log;
}

export function kubernetesValidator(options: KubernetesValidatorOptions): Validator {
  return async ({ token }) => {
    if (!looksLikeToken(token)) return doubt('not-proven', 'the request brings no ServiceAccount token');
    const bearer = await reviewToken(options, token);
    if (!bearer.ok) return bearer;
    const pod = await readPod(options, bearer.value);
    if (!pod.ok) return pod;
    const identity = identify(options, bearer.value, pod.value);
    if (!identity.ok) return identity;
    const forbidden = await checkPolicy(options, identity.value, bearer.value);
    return forbidden === undefined
      ? ok({ identity: identity.value, subject: subjectOf(bearer.value) })
      : err(forbidden);
  };
}

/** Whom the API server says a token was made for. */
interface Bearer {
  readonly namespace: Namespace;
  readonly serviceAccount: string;
  readonly podName: string;
  readonly podUid: string;
}

const TOKEN_BYTES_MAX = 16 * 1024;

/** What is no JWT by its looks never reaches the API server. */
function looksLikeToken(token: string): boolean {
  return token.length <= TOKEN_BYTES_MAX && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

async function reviewToken(options: KubernetesValidatorOptions, token: string): Promise<Result<Bearer, Doubt>> {
  const audience = sentryAudience(options.trustDomain, options.controlPlaneNamespace);
  const review: V1TokenReview = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, audiences: [audience] },
  };
  const reviewed = await options.kube.create(TOKEN_REVIEWS, review);
  if (!reviewed.ok) return unavailable(options.log, 'the token could not be reviewed', reviewed.error);
  return readBearer(reviewed.value.status ?? {}, audience);
}

function readBearer(status: V1TokenReviewStatus, audience: string): Result<Bearer, Doubt> {
  if (status.authenticated !== true) {
    const why = status.error ? `: ${excerpt(status.error, 300)}` : '';
    return doubt('not-proven', `the API server does not accept the token${why}`);
  }
  if (!status.audiences?.includes(audience)) {
    return doubt('not-proven', `the token is not for the audience ${audience}`);
  }
  const { username = '', extra = {} } = status.user ?? {};
  const [, namespaceText = '', serviceAccount = ''] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username) ?? [];
  const namespace = parseNamespace(namespaceText);
  if (!namespace.ok) return doubt('not-proven', `the token is of ${excerpt(username)}, not of a ServiceAccount`);
  const [podName, podUid] = [only(extra[POD_NAME]), only(extra[POD_UID])];
  if (podName === undefined || podUid === undefined) {
    return doubt('not-proven', `the token of the ServiceAccount ${serviceAccount} is not bound to a pod`);
  }
  return ok({ namespace: namespace.value, serviceAccount, podName, podUid });
}

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

function only(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 && values[0] !== '' ? values[0] : undefined;
}

async function readPod(options: KubernetesValidatorOptions, bearer: Bearer): Promise<Result<V1Pod, Doubt>> {
  const { namespace, podName, podUid, serviceAccount } = bearer;
  const subject = subjectOf(bearer);
  const read = await options.kube.get(PODS, podName, namespace);
  if (!read.ok && read.error.kind === 'not-found') return doubt('not-proven', `${subject.pod} is gone`, subject);
  if (!read.ok) return unavailable(options.log, `${subject.pod} could not be read`, read.error, subject);
  const { metadata, spec, status } = read.value;
  if (metadata?.uid !== podUid) {
    const reason = `${subject.pod} is another pod (UID ${metadata?.uid}) than the one the token was made for`;
    return doubt('not-proven', reason, subject);
  }
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') {
    return doubt('not-proven', `${subject.pod} has ended (${status.phase})`, subject);
  }
  if (spec?.serviceAccountName !== serviceAccount) {
    return doubt('not-proven', `${subject.pod} does not run as the ServiceAccount ${serviceAccount}`, subject);
  }
  return read;
}

function identify(options: KubernetesValidatorOptions, bearer: Bearer, { metadata }: V1Pod): Result<Identity, Doubt> {
  const { trustDomain, controlPlaneNamespace } = options;
  const { namespace, serviceAccount } = bearer;
  const subject = subjectOf(bearer);
  const isOurs = namespace === controlPlaneNamespace;
  if (isOurs && serviceAccount !== SENTRY && serviceAccount !== OPERATOR) {
    const reason = `in ${namespace} only the control plane has identities, and ${subject.pod} runs as ${serviceAccount}`;
    return doubt('not-proven', reason, subject);
  }
  const annotation = metadata?.annotations?.[APP_ID_KEY];
  const label = metadata?.labels?.[APP_ID_KEY];
  if (!isOurs && annotation === undefined) {
    return doubt('not-proven', `${subject.pod} has no annotation ${APP_ID_KEY}; annotate its template`, subject);
  }
  if (!isOurs && label !== annotation) {
    const reason =
      `the label ${APP_ID_KEY} of ${subject.pod} (${shown(label)}) is not its annotation (${shown(annotation)}); ` +
      'the webhook makes them equal when it admits a pod, so create the pod anew';
    return doubt('not-proven', reason, subject);
  }
  const app = parseAppId(isOurs ? serviceAccount : (annotation ?? ''));
  if (!app.ok) return doubt('not-proven', `the annotation ${APP_ID_KEY} of ${subject.pod}: ${app.error}`, subject);
  return ok({ trustDomain, namespace, app: app.value });
}

function shown(value: string | undefined): string {
  return value === undefined ? 'none' : `"${excerpt(value)}"`;
}

/** Nobody's policy narrows the control plane's own identities. */
async function checkPolicy(
  options: KubernetesValidatorOptions,
  { namespace, app }: Identity,
  bearer: Bearer,
): Promise<Doubt | undefined> {
  if (namespace === options.controlPlaneNamespace) return undefined;
  const subject = subjectOf(bearer);
  const read = await options.kube.get(NAMESPACE_POLICIES, namespace);
  // Without the policy, or without its CRD, nothing is narrowed.
  if (!read.ok && read.error.kind === 'not-found') return undefined;
  if (!read.ok) {
    return unavailable(options.log, `the NamespacePolicy ${namespace} could not be read`, read.error, subject).error;
  }
  const allowed = serviceAccountsFor(read.value, app);
  if (allowed === undefined || allowed.includes(bearer.serviceAccount)) return undefined;
  const reason = `the NamespacePolicy ${namespace} keeps it from the ServiceAccount ${bearer.serviceAccount}, as which ${subject.pod} runs`;
  return { kind: 'not-allowed', reason, subject };
}

/** Undefined: any. An app id that the policy does not list is as free as without a policy. */
function serviceAccountsFor({ spec }: NamespacePolicy, app: string): readonly string[] | undefined {
  return spec.identities?.find(({ appId }) => appId === app)?.serviceAccounts;
}

function subjectOf({ namespace, podName, podUid, serviceAccount }: Bearer): Subject {
  return { pod: `${namespace}/${podName}`, podUid, serviceAccount: `${namespace}/${serviceAccount}` };
}

function doubt(kind: Doubt['kind'], reason: string, subject?: Subject): { readonly ok: false; readonly error: Doubt } {
  return err({ kind, reason, subject });
}

/** The API server's own words are for our log: to a stranger they would tell what we may and may not do there. */
function unavailable(log: Log, what: string, failure: KubeFailure, subject?: Subject) {
  log.error(what, { cause: failure.message, kind: failure.kind });
  return doubt('unavailable', `${what}; the reason is in the log of the sentry`, subject);
}
