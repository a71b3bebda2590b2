// What proves who a workload is: its X.509-SVID, and the trust anchors by which it judges others.
import { type Identity, type Namespace, parseAppId, parseNamespace, type TrustDomain } from '../api/ids.ts';
import { SENTRY } from '../api/pod.ts';
import { must } from '../kit/result.ts';

/** One certificate and its key, in force together. The key lives in memory only. */
export interface Svid {
  readonly identity: Identity;
  /** PEM: the leaf, then the issuer. */
  readonly chainPem: string;
  /** PEM, PKCS #8. */
  readonly keyPem: string;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** PEM certificates of the roots that are trusted. */
export type TrustAnchors = readonly string[];

/** Everything a TLS connection of ours is made from; changes whole, on renewal or on a new root. */
export interface Credentials {
  readonly svid: Svid;
  readonly anchors: TrustAnchors;
}

/** Where the control plane is, unless it was installed elsewhere: only its parts have identities in this namespace. */
export const CONTROL_PLANE_NAMESPACE = must(parseNamespace('invoke-system'));

/** Who the certificate authority itself is. Its clients trust a server by this name alone. */
export function sentryIdentity(trustDomain: TrustDomain, namespace: Namespace = CONTROL_PLANE_NAMESPACE): Identity {
  return { trustDomain, namespace, app: SENTRY_APP };
}

const SENTRY_APP = must(parseAppId(SENTRY));
