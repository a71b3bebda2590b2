// Who hears of what: follows the stores, finds whom a change concerns, and has them told within 100 ms, many changes at once.
import type { V1Node } from '@kubernetes/client-node';
import type { Namespace, Target } from '../../api/ids.ts';
import { TRUST_BUNDLE } from '../../api/pod.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { keyOf } from '../../kube/types.ts';
import { type Claims, claimKey, claimOfPod } from '../claims.ts';
import { SettledResiliencies } from '../settled.ts';
import type { Stores } from '../stores.ts';
import { barredNamespaces, isSameOutside } from './barred.ts';
import { compileResources, configVersions } from './config.ts';
import { compileEndpoints } from './endpoints.ts';
import { Subscriber, type WriteMessage } from './subscriber.ts';
import { Topic } from './topic.ts';

export interface HubOptions {
  readonly stores: Stores;
  readonly claims: Claims;
  /** PEM; undefined while none are published. */
  readonly trustAnchors: () => Buffer | undefined;
  /** Where the trust anchors are published. */
  readonly namespace: Namespace;
  readonly epoch: () => number;
  /** Of the installation. */
  readonly defaultAccess: 'allow' | 'deny';
  readonly clock: Clock;
}

export interface Subscription {
  /** Replaces what was wanted before. */
  want(targets: readonly Target[]): void;
  end(): void;
}

/** A topic and those who hear of it. Gone with the last of them. */
interface Audience {
  readonly of: Target;
  readonly topic: Topic;
  readonly subscribers: Set<Subscriber>;
}

/** From the first change until they are told. */
const COALESCE_MS = 50;
/** Then other work has a turn. */
const TOLD_AT_ONCE = 250;
const ZONE_LABEL = 'topology.kubernetes.io/zone';

export class Hub {
  readonly #options: HubOptions;
  readonly #settled: SettledResiliencies;
  readonly #configs = new Map<string, Audience>();
  readonly #endpoints = new Map<string, Audience>();
  readonly #outdated = new Set<Audience>();
  readonly #toTell = new Set<Subscriber>();
  readonly #follows: readonly Cancel[];
  #cancelTurn: Cancel | undefined;
  /** The last ones: that the ConfigMap is gone for a moment takes nobody's trust away. */
  #anchors: Buffer | undefined;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#settled = new SettledResiliencies(options.stores.resiliencies);
    this.#follows = this.#follow();
  }

  /** PEM; undefined: there have never been any, and no config can be made. */
  trustAnchors(): Buffer | undefined {
    this.#anchors = this.#options.trustAnchors() ?? this.#anchors;
    return this.#anchors;
  }

  /** Tells the config of `self` at once, and then whatever changes of it and of what is wanted. */
  subscribe(self: Target, write: WriteMessage): Subscription {
    const subscriber = new Subscriber(write);
    const config = this.#join(this.#configs, self, subscriber, () => this.#configTopic(self));
    let wanted = new Map<string, Audience>();
    subscriber.tell();
    return {
      want: (targets) => {
        const before = wanted;
        wanted = new Map(
          targets.map((target) => [
            claimKey(target),
            this.#join(this.#endpoints, target, subscriber, () => this.#endpointsTopic(target)),
          ]),
        );
        for (const [key, audience] of before) if (!wanted.has(key)) this.#leave(this.#endpoints, audience, subscriber);
        subscriber.tell();
      },
      end: () => {
        subscriber.end();
        this.#toTell.delete(subscriber);
        this.#leave(this.#configs, config, subscriber);
        for (const audience of wanted.values()) this.#leave(this.#endpoints, audience, subscriber);
        wanted = new Map();
      },
    };
  }

  stop(): void {
    for (const cancel of this.#follows) cancel();
    this.#cancelTurn?.();
  }

  #join(audiences: Map<string, Audience>, of: Target, subscriber: Subscriber, topic: () => Topic): Audience {
    const key = claimKey(of);
    const audience = audiences.get(key) ?? { of, topic: topic(), subscribers: new Set() };
    audiences.set(key, audience);
    audience.subscribers.add(subscriber);
    subscriber.add(audience.topic);
    return audience;
  }

  #leave(audiences: Map<string, Audience>, audience: Audience, subscriber: Subscriber): void {
    subscriber.drop(audience.topic);
    audience.subscribers.delete(subscriber);
    if (audience.subscribers.size === 0) audiences.delete(claimKey(audience.of));
  }

  #configTopic(self: Target): Topic {
    const { stores, epoch, defaultAccess } = this.#options;
    return new Topic({
      compile: () => ({
        kind: 'config',
        config: {
          versions: configVersions(stores),
          trustAnchors: this.trustAnchors() ?? Buffer.alloc(0),
          resources: compileResources(stores, self, this.#settled),
          barredNamespaces: barredNamespaces(stores.namespacePolicies.all(), self),
          defaultAccess,
        },
      }),
      stamp: () => ({ epoch: epoch(), versions: JSON.stringify(configVersions(stores)) }),
    });
  }

  #endpointsTopic(target: Target): Topic {
    const { stores, claims, epoch } = this.#options;
    const key = claimKey(target);
    return new Topic({
      compile: () => {
        const claimants = claims.of(key);
        // A workload may have the name of a pod, but is not that pod.
        const pods = claimants.flatMap((claimant) => {
          const pod = stores.pods.get(keyOf(claimant));
          return pod === claimant ? [pod] : [];
        });
        const facts = { isClaimed: claimants.length > 0, version: stores.pods.version() };
        const zoneOf = (node: string) => zone(stores.nodes.get(node));
        return { kind: 'endpoints', endpoints: compileEndpoints(target, pods, { ...facts, zoneOf }) };
      },
      stamp: () => ({ epoch: epoch(), versions: `${stores.pods.version()}` }),
    });
  }

  #follow(): readonly Cancel[] {
    const { stores, claims, namespace } = this.#options;
    const ofNamespace = (key: string) => this.#outdateConfigs(({ of }) => of.namespace === key.split('/')[0]);
    return [
      stores.accessPolicies.changed(ofNamespace),
      stores.resiliencies.changed(ofNamespace),
      stores.httpEndpoints.changed(ofNamespace),
      // Named as its namespace. Whom that may call is told to those who are called.
      stores.namespacePolicies.changed((key, now, before) => {
        if (isSameOutside(before, now)) ofNamespace(key);
        else this.#outdateConfigs(() => true);
      }),
      stores.trustBundles.changed((key) => {
        if (key === `${namespace}/${TRUST_BUNDLE}`) this.#outdateConfigs(() => true);
      }),
      stores.pods.changed((_key, now, before) => {
        for (const pod of [now, before]) {
          const claimed = pod && claimOfPod(pod);
          if (claimed) this.#outdateEndpoints(claimKey(claimed));
        }
      }),
      claims.changed((key) => this.#outdateEndpoints(key)),
      stores.nodes.changed((_key, now, before) => {
        if (zone(now) === zone(before)) return;
        for (const key of this.#endpoints.keys()) this.#outdateEndpoints(key);
      }),
    ];
  }

  #outdateConfigs(isConcerned: (audience: Audience) => boolean): void {
    for (const audience of this.#configs.values()) if (isConcerned(audience)) this.#outdate(audience);
  }

  #outdateEndpoints(key: string): void {
    const audience = this.#endpoints.get(key);
    if (audience !== undefined) this.#outdate(audience);
  }

  #outdate(audience: Audience): void {
    if (!audience.topic.outdate()) return;
    this.#outdated.add(audience);
    this.#cancelTurn ??= this.#options.clock.after(COALESCE_MS, () => this.#turn());
  }

  #turn(): void {
    for (const { topic, subscribers } of this.#outdated) {
      for (const subscriber of subscribers) {
        subscriber.notify(topic);
        this.#toTell.add(subscriber);
      }
    }
    this.#outdated.clear();
    for (const subscriber of [...this.#toTell].slice(0, TOLD_AT_ONCE)) {
      this.#toTell.delete(subscriber);
      subscriber.tell();
    }
    this.#cancelTurn = this.#toTell.size > 0 ? this.#options.clock.after(0, () => this.#turn()) : undefined;
  }
}

function zone(node: V1Node | undefined): string {
  return node?.metadata?.labels?.[ZONE_LABEL] ?? '';
}
