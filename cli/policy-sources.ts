// Policies from wherever they are (files, a cluster), made ready to be asked about a call.
import type { Identity, Target, TrustDomain } from '../api/ids.ts';
import { readAccessPolicy } from '../api/resources/access-policy.ts';
import { type NamespacePolicySpec, readNamespacePolicy } from '../api/resources/namespace-policy.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { AccessSources, UnreadablePolicy } from '../policy/access/compile.ts';
import type { PlacedPolicy } from '../policy/access/rule.ts';
import type { Outcome } from '../policy/access/verdict.ts';
import { barredFrom, compileWayOut } from '../policy/fence/fence.ts';

export interface PlacedNamespacePolicy {
  readonly namespace: string;
  readonly spec: NamespacePolicySpec;
}

export interface Policies {
  readonly access: readonly (PlacedPolicy | UnreadablePolicy)[];
  readonly namespaces: readonly PlacedNamespacePolicy[];
}

export interface Installation {
  readonly trustDomain: TrustDomain;
  /** Where neither an AccessPolicy nor the namespace says anything. */
  readonly defaultAccess: Outcome;
}

/** For one app that is called. */
export function sourcesFor(policies: Policies, target: Target, installation: Installation): AccessSources {
  const own: Identity = { ...target, trustDomain: installation.trustDomain };
  const waysOut = policies.namespaces.map(({ namespace, spec }) => compileWayOut(namespace, spec.mayCall));
  const namespace = policies.namespaces.find((policy) => policy.namespace === target.namespace)?.spec;
  return {
    own,
    policies: policies.access,
    defaults: { namespace: namespace?.defaultAccess, installation: installation.defaultAccess },
    fence: { callableFrom: namespace?.callableFrom, barred: barredFrom(target, waysOut) },
  };
}

/** An object of YAML or JSON that somebody wrote. */
export interface WrittenObject {
  readonly kind: string;
  readonly name: string;
  readonly content: unknown;
}

/** What kubectl takes where an object names no namespace. */
const DEFAULT_NAMESPACE = 'default';

/** The two kinds that have to do with access; undefined for any other. */
export function readPolicy(written: WrittenObject): Result<Partial<Policies> | undefined, readonly string[]> {
  const spec = field(written.content, 'spec');
  if (written.kind === 'AccessPolicy') {
    const read = readAccessPolicy(spec ?? {});
    if (!read.ok) return err(read.error);
    const given = field(field(written.content, 'metadata'), 'namespace');
    const namespace = typeof given === 'string' && given !== '' ? given : DEFAULT_NAMESPACE;
    return ok({ access: [{ namespace, name: written.name, spec: read.value }] });
  }
  if (written.kind !== 'NamespacePolicy') return ok(undefined);
  const read = readNamespacePolicy(spec ?? {});
  return read.ok ? ok({ namespaces: [{ namespace: written.name, spec: read.value }] }) : read;
}

export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

/** Two of one name would be one object in a cluster. */
export function joined(all: readonly Partial<Policies>[]): Result<Policies> {
  const access = all.flatMap((some) => some.access ?? []);
  const namespaces = all.flatMap((some) => some.namespaces ?? []);
  const names = [
    ...access.map(({ namespace, name }) => `AccessPolicy ${namespace}/${name}`),
    ...namespaces.map(({ namespace }) => `NamespacePolicy ${namespace}`),
  ];
  const twin = names.find((name, i) => names.indexOf(name) !== i);
  return twin === undefined ? ok({ access, namespaces }) : err(`there are two of ${twin}; keep one, or rename one`);
}
