// What `invokectl check` looks at: the cluster as it is, read with the rights of whoever asks.
import type { Namespace } from '../../api/ids.ts';
import { OPERATOR } from '../../api/pod.ts';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import type { Resource } from '../../api/resources/object.ts';
import { parseJson } from '../../kit/json.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { ACCESS_POLICIES, HTTP_ENDPOINTS, NAMESPACE_POLICIES, RESILIENCIES } from '../../kube/custom.ts';
import type { Answered, Kube, KubeFailure, Listed } from '../../kube/kube.ts';
import { DEPLOYMENTS, type Kind, type KubernetesObject, NETWORK_POLICIES, PODS, SERVICES } from '../../kube/types.ts';

export type Pod = NonNullable<(typeof PODS)['object']>;
export type Service = NonNullable<(typeof SERVICES)['object']>;
export type NetworkPolicy = NonNullable<(typeof NETWORK_POLICIES)['object']>;
type Deployment = NonNullable<(typeof DEPLOYMENTS)['object']>;

export interface ClusterFacts {
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly networkPolicies: readonly NetworkPolicy[];
  readonly namespacePolicies: readonly NamespacePolicy[];
  /** All objects of ours, with their kinds. */
  readonly resources: readonly { readonly kind: string; readonly resource: Resource<unknown> }[];
  /** What pods are given by the operator; undefined: there is none. */
  readonly sidecarImage: string | undefined;
}

export interface Scope {
  /** Undefined: all. */
  readonly namespace: Namespace | undefined;
  /** Where Invoke is installed. */
  readonly controlPlane: Namespace;
}

/** Or the first thing that could not be read. */
export async function readFacts(kube: Kube, scope: Scope): Promise<Result<ClusterFacts>> {
  const reading = new Reading(kube, scope);
  const namespacePolicies = await reading.namespacePolicies();
  const facts: ClusterFacts = {
    pods: await reading.all(PODS),
    services: await reading.all(SERVICES),
    networkPolicies: await reading.all(NETWORK_POLICIES),
    namespacePolicies,
    resources: [
      ...named(ACCESS_POLICIES, await reading.ours(ACCESS_POLICIES)),
      ...named(RESILIENCIES, await reading.ours(RESILIENCIES)),
      ...named(HTTP_ENDPOINTS, await reading.ours(HTTP_ENDPOINTS)),
      ...named(NAMESPACE_POLICIES, namespacePolicies),
    ],
    sidecarImage: await reading.sidecarImage(),
  };
  return reading.problem === undefined ? ok(facts) : err(reading.problem);
}

/** Goes on after a failure, and remembers the first. */
class Reading {
  problem: string | undefined;
  readonly #kube: Kube;
  readonly #scope: Scope;

  constructor(kube: Kube, scope: Scope) {
    this.#kube = kube;
    this.#scope = scope;
  }

  async all<T extends KubernetesObject>(kind: Kind<T>): Promise<readonly T[]> {
    return this.#items(await this.#list(kind));
  }

  /** None, where the CustomResourceDefinitions are missing. */
  async ours<T extends KubernetesObject>(kind: Kind<T>): Promise<readonly T[]> {
    const listed = await this.#list(kind);
    return isMissing(listed) ? [] : this.#items(listed);
  }

  /** Who may read one namespace may not always list what belongs to the cluster. */
  async namespacePolicies(): Promise<readonly NamespacePolicy[]> {
    const { namespace } = this.#scope;
    if (namespace === undefined) return await this.ours(NAMESPACE_POLICIES);
    const got = await this.#kube.get(NAMESPACE_POLICIES, namespace);
    return got.ok ? [got.value] : this.#unlessMissing(got.error);
  }

  async sidecarImage(): Promise<string | undefined> {
    const operator = await this.#kube.get(DEPLOYMENTS, OPERATOR, this.#scope.controlPlane);
    if (operator.ok) return imageIn(operator.value);
    this.#unlessMissing(operator.error);
    return undefined;
  }

  #list<T extends KubernetesObject>(kind: Kind<T>): Answered<Listed<T>> {
    const { namespace } = this.#scope;
    return this.#kube.list(kind, namespace === undefined ? {} : { namespace });
  }

  #items<T>(listed: Result<Listed<T>, KubeFailure>): readonly T[] {
    if (listed.ok) return listed.value.items;
    this.problem ??= listed.error.message;
    return [];
  }

  #unlessMissing({ kind, message }: KubeFailure): readonly [] {
    if (kind !== 'not-found') this.problem ??= message;
    return [];
  }
}

function isMissing(listed: Result<unknown, KubeFailure>): boolean {
  return !listed.ok && listed.error.kind === 'not-found';
}

function named<Spec>({ kind }: Kind<Resource<Spec>>, resources: readonly Resource<Spec>[]): ClusterFacts['resources'] {
  return resources.map((resource) => ({ kind, resource }));
}

/** A default of the installation's wins over the chart's own image, as in the webhook. */
function imageIn({ spec }: Deployment): string | undefined {
  const variables = (spec?.template.spec?.containers ?? []).flatMap(({ env = [] }) => env);
  const given = (wanted: string) => variables.find(({ name }) => name === wanted)?.value;
  const defaults = parseJson(given('INVOKE_SIDECAR_DEFAULTS') ?? '{}');
  const byDefault = defaults.ok && Object(defaults.value)['sidecar-image'];
  return typeof byDefault === 'string' ? byDefault : given('INVOKE_SIDECAR_IMAGE');
}
