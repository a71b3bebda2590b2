// The keys of Secrets that named endpoints refer to, for the sidecar to read. The operator may not read Secrets, and does not: the
// kubelet mounts them, those keys alone, in the sidecar alone, and goes on without one that is not there.
import type { V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import { endpointScopes, readHttpEndpoint, type SecretKey, secretsOf } from '../../api/http-endpoint.ts';
import type { AppId } from '../../api/ids.ts';
import { PATHS } from '../../api/pod.ts';
import type { HttpEndpointResource } from '../../api/resources/http-endpoint.ts';

export const ENDPOINT_SECRETS_VOLUME = 'invoke-endpoint-secrets';

/** A pod's spec holds each of them. */
export const ENDPOINT_SECRETS_MAX = 256;

/** Of the endpoints that the app may use, in a fixed order, each once. */
export function endpointSecrets(endpoints: readonly HttpEndpointResource[], app: AppId): readonly SecretKey[] {
  const keys = new Map<string, SecretKey>();
  for (const { metadata, spec } of endpoints) {
    const endpoint = readHttpEndpoint(metadata.name, spec);
    if (!endpoint.ok || endpointScopes(spec)?.includes(app) === false) continue;
    for (const secret of secretsOf(endpoint.value)) keys.set(`${secret.name}/${secret.key}`, secret);
  }
  return [...keys.keys()].sort().flatMap((path) => keys.get(path) ?? []);
}

export function endpointSecretsVolume(secrets: readonly SecretKey[]): V1Volume[] {
  if (secrets.length === 0) return [];
  const names = [...new Set(secrets.map(({ name }) => name))];
  const sources = names.map((name) => {
    const ofSecret = secrets.filter((secret) => secret.name === name);
    const items = ofSecret.map(({ key }) => ({ key, path: `${name}/${key}` }));
    return { secret: { name, optional: true, items } };
  });
  return [{ name: ENDPOINT_SECRETS_VOLUME, projected: { sources } }];
}

export function endpointSecretsMount(secrets: readonly SecretKey[]): V1VolumeMount[] {
  if (secrets.length === 0) return [];
  return [{ name: ENDPOINT_SECRETS_VOLUME, mountPath: PATHS.endpointSecretsDirectory, readOnly: true }];
}
