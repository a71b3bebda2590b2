// The kinds of Kubernetes objects that are our own.
import { GROUP } from '../api/pod.ts';
import type { AccessPolicy } from '../api/resources/access-policy.ts';
import type { HttpEndpointResource } from '../api/resources/http-endpoint.ts';
import type { NamespacePolicy } from '../api/resources/namespace-policy.ts';
import type { Resiliency } from '../api/resources/resiliency.ts';
import { clusterWide, type Kind, namespaced } from './types.ts';

export const ACCESS_POLICIES: Kind<AccessPolicy> = namespaced(GROUP, 'v1alpha1', 'AccessPolicy', 'accesspolicies');
export const RESILIENCIES: Kind<Resiliency> = namespaced(GROUP, 'v1alpha1', 'Resiliency', 'resiliencies');
export const HTTP_ENDPOINTS: Kind<HttpEndpointResource> = namespaced(
  GROUP,
  'v1alpha1',
  'HTTPEndpoint',
  'httpendpoints',
);
export const NAMESPACE_POLICIES: Kind<NamespacePolicy> = clusterWide(
  GROUP,
  'v1alpha1',
  'NamespacePolicy',
  'namespacepolicies',
);
