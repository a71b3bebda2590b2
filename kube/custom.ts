// The kinds of Kubernetes objects that are our own.
import { GROUP, VERSION } from '../api/pod.ts';
import type { AccessPolicy } from '../api/resources/access-policy.ts';
import type { HttpEndpointResource } from '../api/resources/http-endpoint.ts';
import type { NamespacePolicy } from '../api/resources/namespace-policy.ts';
import type { Resiliency } from '../api/resources/resiliency.ts';
import { clusterWide, type Kind, namespaced } from './types.ts';

export const ACCESS_POLICIES: Kind<AccessPolicy> = namespaced(GROUP, VERSION, 'AccessPolicy', 'accesspolicies');
export const RESILIENCIES: Kind<Resiliency> = namespaced(GROUP, VERSION, 'Resiliency', 'resiliencies');
export const HTTP_ENDPOINTS: Kind<HttpEndpointResource> = namespaced(GROUP, VERSION, 'HTTPEndpoint', 'httpendpoints');
export const NAMESPACE_POLICIES: Kind<NamespacePolicy> = clusterWide(
  GROUP,
  VERSION,
  'NamespacePolicy',
  'namespacepolicies',
);
