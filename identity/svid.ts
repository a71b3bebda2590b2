// What proves who a workload is: its X.509-SVID, and the trust anchors by which it judges others.
import type { Identity } from '../api/ids.ts';

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
