// Names to endpoints: the interface, and what every maker of it (registry, mDNS, static list) shares.
import type { Callee } from '../../api/external.ts';
import type { Fault } from '../../api/fault.ts';
import type { Identity, Target } from '../../api/ids.ts';
import type { Cancel } from '../../kit/clock.ts';
import type { FeedClient } from '../feed/feed.ts';

/** One place where an instance of an app can be reached: the peer port of its sidecar. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Where that is known; empty where nodes have none. */
  readonly zone?: string;
  /** Of its pod. */
  readonly labels?: ReadonlyMap<string, string>;
  /** It ends: it may still take calls, and should get none while there are others. */
  readonly isDraining?: boolean;
}

/** The instances of one app, as they are at the moment of asking: a later attempt sees later instances. */
export interface Upstream {
  readonly target: Callee;
  /** The ready ones. May be empty by the time it is asked. */
  endpoints(): readonly Endpoint[];
}

export type Resolved =
  | { readonly kind: 'found'; readonly upstream: Upstream }
  /** `unknown-app` (never heard of) or `no-endpoint` (known, none ready), with when it was last seen. */
  | { readonly kind: 'absent'; readonly fault: Fault };

/** `miss`: not known yet; `wait` calls back once, later, unless cancelled. */
export type Resolution = Resolved | { readonly kind: 'miss'; wait(done: (resolved: Resolved) => void): Cancel };

export interface Resolver {
  resolve(target: Target): Resolution;
  close(): void;
}

/** What an instance says of itself to the others. */
export interface Announcement {
  readonly identity: Identity;
  readonly peer: Endpoint;
  /** The app API's port, for tools on this machine. */
  readonly httpPort: number;
  /** Undefined: it serves none. */
  readonly metricsPort?: number | undefined;
  readonly appPort: number | undefined;
}

/** An announcement that stands. Starts out not ready. */
export interface Announced {
  setReady(isReady: boolean): void;
  /** Takes the name back: no new call should come here. Idempotent. */
  withdraw(): void;
}

/** Both sides of a name service: finding others, and being found. Static lists announce nothing. */
export interface Names extends Resolver {
  announce(announcement: Announcement): Announced;
  /** From now on, goes by what the operator says of endpoints too. Only names in a cluster can. */
  follow?(feed: EndpointFeed): void;
}

/** What is read of the operator's feed. */
export type EndpointFeed = Pick<FeedClient, 'endpoints' | 'watch' | 'changed' | 'state'>;
