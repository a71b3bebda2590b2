// How kinds and objects are spelled on the wire: the paths of the API, and what we set right in what it sends.
import type { ListOptions } from './kube.ts';
import { apiVersion, type Kind, type KubernetesObject } from './types.ts';

export interface Address {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** `/api/v1/namespaces/shop/pods/web-1/status`. */
export function pathOf(kind: Kind<KubernetesObject>, { namespace, name, subresource }: Address): string {
  const segments = kind.group === '' ? ['api', kind.version] : ['apis', kind.group, kind.version];
  if (kind.isNamespaced && namespace !== undefined) segments.push('namespaces', namespace);
  segments.push(kind.plural);
  if (name !== undefined) segments.push(name);
  if (subresource !== undefined) segments.push(subresource);
  return `/${segments.map(encodeURIComponent).join('/')}`;
}

/** For messages: `pods shop/web-1`, `leases.coordination.k8s.io/status shop/web`. */
export function nameOf(kind: Kind<KubernetesObject>, { namespace, name, subresource }: Address): string {
  const resource = kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const place = [namespace, name].filter((part) => part !== undefined).join('/');
  return place === '' ? what : `${what} ${place}`;
}

/**
 * An object as it came, with `apiVersion` and `kind` set (lists of built-in kinds leave them out) and the two times of its
 * metadata as Dates. Every other time is the string that was sent, whatever the library's type says.
 */
export function received<T extends KubernetesObject>(kind: Kind<T>, object: T): T {
  const { metadata } = object;
  if (metadata?.creationTimestamp) metadata.creationTimestamp = new Date(metadata.creationTimestamp);
  if (metadata?.deletionTimestamp) metadata.deletionTimestamp = new Date(metadata.deletionTimestamp);
  object.apiVersion = apiVersion(kind);
  object.kind = kind.kind;
  return object;
}

/** An object as it is sent. */
export function sent<T extends KubernetesObject>(kind: Kind<T>, object: T): string {
  return JSON.stringify({ ...object, apiVersion: apiVersion(kind), kind: kind.kind });
}

export function selectorsOf({ labelSelector, fieldSelector }: ListOptions): Record<string, string> {
  return {
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
  };
}
