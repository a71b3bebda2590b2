// The Kubernetes API as the control plane uses it: an interface, so that a part says what it needs and a test can serve it.
// client.ts speaks to a real API server; watch.ts keeps a kind in memory on top of this.
import type { Cancel } from '../kit/clock.ts';
import type { Result } from '../kit/result.ts';
import type { Kind, KubernetesObject } from './types.ts';

export interface KubeFailure {
  /**
   * `conflict`: somebody else changed it first; `expired`: the resourceVersion is too old (410); `invalid`: refused by
   * validation or admission; `unavailable`: no answer, 429 or 5xx, so trying again later may help.
   */
  readonly kind:
    | 'not-found'
    | 'already-exists'
    | 'conflict'
    | 'forbidden'
    | 'invalid'
    | 'expired'
    | 'unavailable'
    | 'failed';
  /** For the log: what was asked, of what, and the API server's own words. */
  readonly message: string;
}

export type Answered<T> = Promise<Result<T, KubeFailure>>;

export interface ListOptions {
  /** Left out: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface WatchRequest extends ListOptions {
  /** From which version on. */
  readonly resourceVersion: string;
  /** When the server is to end it. */
  readonly timeoutSec: number;
}

export interface Listed<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export type WatchEvent<T> =
  | { readonly kind: 'added' | 'modified' | 'deleted'; readonly object: T }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string };

export interface PodPort {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/** No method rejects. `name` and `namespace` come from the object where there is one. */
export interface Kube {
  get<T extends KubernetesObject>(kind: Kind<T>, name: string, namespace?: string): Answered<T>;
  /** In pages, from a quorum read. */
  list<T extends KubernetesObject>(kind: Kind<T>, options?: ListOptions): Answered<Listed<T>>;
  create<T extends KubernetesObject>(kind: Kind<T>, object: T): Answered<T>;
  /** `metadata.resourceVersion` makes it a compare-and-swap: `conflict` when it is not the newest. */
  replace<T extends KubernetesObject>(kind: Kind<T>, object: T): Answered<T>;
  /**
   * Server-side apply under our field manager, by force; `status` applies the status subresource alone. `metadata.resourceVersion`
   * makes it a compare-and-swap. `part`: as a field manager of its own, so that what another part of us has said stays.
   */
  apply<T extends KubernetesObject>(kind: Kind<T>, object: T, subresource?: 'status', part?: string): Answered<T>;
  /** JSON Patch (RFC 6902). */
  patch<T extends KubernetesObject>(
    kind: Kind<T>,
    name: string,
    namespace: string | undefined,
    patch: readonly object[],
  ): Answered<T>;
  /** Only that very object, where a `uid` is given. An object that is gone already is a success. */
  delete<T extends KubernetesObject>(kind: Kind<T>, object: T): Answered<void>;
  /** A page that a pod serves over HTTP, by way of the API server; it takes the right to get `pods/proxy`. */
  podPage(pod: PodPort, path: string): Answered<string>;
  /**
   * One watch request from a resourceVersion on, with bookmarks. `ended` is called once: without a failure when the server
   * closed it in good order, with `expired` when the version is too old.
   */
  watch<T extends KubernetesObject>(
    kind: Kind<T>,
    request: WatchRequest,
    event: (event: WatchEvent<T>) => void,
    ended: (failure: KubeFailure | undefined) => void,
  ): Cancel;
}
