// What the operator tells this sidecar, as the rest of it sees it. The client that keeps it up to date is `startFeed` in
// client.ts.
import type { Identity, Target } from '../../api/ids.ts';
import type { Credentials, TrustAnchors } from '../../identity/svid.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Snapshot } from '../../kit/snapshot.ts';
import type { HostPort } from '../../kit/values.ts';
import type { AccessCall } from '../../policy/access/call.ts';
import type { Ground } from '../../policy/access/verdict.ts';

export interface FeedOptions {
  /** Of the operator's feed. */
  readonly address: HostPort;
  /** Who has to answer there. */
  readonly operator: Identity;
  /** Who we are: a kept config of anybody else is not ours. */
  readonly self: Identity;
  /** It connects once there are some, and anew when they change. */
  readonly credentials: Snapshot<Credentials | undefined>;
  /** Where the last config is kept for a restart of the container; undefined: nowhere. */
  readonly snapshotFile: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of this program, for the operator's log. */
  readonly sidecarVersion: string;
}

export interface FeedClient {
  /** The last one that was good, kept or received; undefined: there has never been one, and no call can be judged. */
  readonly config: Snapshot<FeedConfig | undefined>;
  /** Undefined where nothing, or nothing lately, was told of it: then DNS alone says. The same object until it changes. */
  endpoints(target: Target): AppEndpoints | undefined;
  /**
   * Asks for the endpoints of an app, until nobody has for ten minutes. Cheap enough for each call. False when a thousand apps
   * are watched already.
   */
  watch(target: Target): boolean;
  /** After the endpoints of an app became known, changed, or are known no longer. */
  changed(listener: (target: Target) => void): Cancel;
  /** A call was let in that a policy in audit mode would have denied: the operator hears of it, within seconds. */
  audited(by: Ground, call: AccessCall): void;
  state(): FeedState;
  /** Ends the connection; what is known stays. Idempotent. */
  stop(): void;
}

export type FeedState =
  | { readonly kind: 'live' }
  /**
   * `waiting`: no config yet. `stale`: there is one, and nobody to say whether it still holds. `lastError` is for people;
   * `sinceMs` is how long ago it began.
   */
  | { readonly kind: 'waiting' | 'stale'; readonly lastError: string | undefined; readonly sinceMs: number };

/** All that concerns this app and its namespace, at one moment. */
export interface FeedConfig {
  readonly epoch: number;
  /** By kind; what a later config must not fall behind. */
  readonly versions: ReadonlyMap<string, number>;
  readonly trustAnchors: TrustAnchors;
  readonly resources: readonly ConfigResource[];
  /** Other namespaces whose NamespacePolicy does not let them call this app. */
  readonly barredNamespaces: readonly string[];
  /** For apps that no AccessPolicy protects, in namespaces that say nothing of it: the installation's. */
  readonly defaultAccess: 'allow' | 'deny';
}

export interface ConfigResource {
  readonly kind: string;
  /** Empty for what belongs to the whole cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** Epoch milliseconds: the older of two that conflict wins. */
  readonly createdMs: number;
  /** As the API server has it; a schema of api/resources/ has yet to read it. */
  readonly spec: unknown;
}

export interface AppEndpoints {
  /** Whether a workload or a pod claims the name. Without one, the app is unknown. */
  readonly isClaimed: boolean;
  readonly endpoints: readonly KnownEndpoint[];
}

/** A pod of the app, ready or not. */
export interface KnownEndpoint {
  readonly host: string;
  readonly port: number;
  /** Serving and not terminating: new calls may go there. */
  readonly ready: boolean;
  /** Passes its readiness probes. */
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Empty where nodes have no zone. */
  readonly zone: string;
  readonly pod: string;
  readonly labels: ReadonlyMap<string, string>;
}
