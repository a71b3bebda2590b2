// Which keys of Secrets a sidecar finds mounted, and that a pod is the same when it is looked at once more.
import { describe, expect, test } from 'vitest';
import { parseAppId } from '../../api/ids.ts';
import type { HttpEndpointResource } from '../../api/resources/http-endpoint.ts';
import { must } from '../../kit/result.ts';
import { decidePod } from './decide.ts';
import { ENDPOINT_SECRETS_MAX, endpointSecrets, endpointSecretsVolume } from './endpoint-secrets.ts';
import { CONFIG, podOf, SHOP } from './testing.ts';

const WEB = must(parseAppId('web'));
const secretKeyRef = (name: string, key: string) => ({ secretKeyRef: { name, key } });

function endpoint(name: string, spec: Partial<HttpEndpointResource['spec']>): HttpEndpointResource {
  return { metadata: { name, namespace: SHOP }, spec: { baseUrl: 'https://bank.example', ...spec } };
}

const BANK = endpoint('bank', {
  headers: [{ name: 'authorization', ...secretKeyRef('bank', 'token') }],
  clientTLS: { rootCA: secretKeyRef('bank-tls', 'ca.crt') },
});
const PLAIN = endpoint('plain', { headers: [{ name: 'x', value: 'y' }] });
const SAME = endpoint('same', { headers: [{ name: 'authorization', ...secretKeyRef('bank', 'token') }] });

describe('mounted', () => {
  test('is each key that an endpoint of the app names, once, whatever the order of endpoints', () => {
    const keys = [
      { name: 'bank', key: 'token' },
      { name: 'bank-tls', key: 'ca.crt' },
    ];
    expect(endpointSecrets([BANK, PLAIN, SAME], WEB)).toEqual(
      keys.toReversed().toSorted((a, b) => (`${a.name}/${a.key}` < `${b.name}/${b.key}` ? -1 : 1)),
    );
    expect(endpointSecrets([SAME, PLAIN, BANK], WEB)).toEqual(endpointSecrets([BANK, PLAIN, SAME], WEB));
  });

  test('is nothing of endpoints that are for other apps or make no sense', () => {
    const others = endpoint('others', { ...BANK.spec, scopes: ['cart'] });
    const broken = endpoint('broken', { ...BANK.spec, baseUrl: 'nonsense' });
    expect(endpointSecrets([others, broken], WEB)).toEqual([]);
    expect(endpointSecretsVolume([])).toEqual([]);
  });
});

describe('a pod', () => {
  const decide = (pod: Parameters<typeof decidePod>[0], endpoints: readonly HttpEndpointResource[]) =>
    must(decidePod(pod, SHOP, { config: CONFIG, policyOf: () => undefined, endpointsOf: () => endpoints }));

  test('is given them as one volume that only its sidecar mounts, and that may lack them', () => {
    const { spec } = decide(podOf({ 'app-id': 'web' }), [BANK]).pod;
    const item = (name: string, key: string) => ({
      secret: { name, optional: true, items: [{ key, path: `${name}/${key}` }] },
    });
    expect(spec?.volumes?.find(({ name }) => name === 'invoke-endpoint-secrets')).toEqual({
      name: 'invoke-endpoint-secrets',
      projected: { sources: [item('bank-tls', 'ca.crt'), item('bank', 'token')] },
    });
    const mount = {
      name: 'invoke-endpoint-secrets',
      mountPath: '/var/run/secrets/invoke.io/endpoints',
      readOnly: true,
    };
    expect(spec?.initContainers?.[0]?.volumeMounts).toContainEqual(mount);
    expect(JSON.stringify(spec?.containers)).not.toContain('invoke-endpoint-secrets');
  });

  test('has no such volume where nobody names a Secret', () => {
    expect(JSON.stringify(decide(podOf({ 'app-id': 'web' }), [PLAIN]).pod)).not.toContain('invoke-endpoint-secrets');
  });

  test('is the same when it is decided again, also after the endpoints have gone', () => {
    const once = decide(podOf({ 'app-id': 'web' }), [BANK]).pod;
    expect(decide(once, [BANK]).pod).toEqual(once);
    expect(decide(once, []).pod).toEqual(decide(podOf({ 'app-id': 'web' }), []).pod);
  });

  test('is let in with a warning where there are too many', () => {
    const many = Array.from({ length: ENDPOINT_SECRETS_MAX + 1 }, (_, at) =>
      endpoint(`bank-${at}`, { headers: [{ name: 'authorization', ...secretKeyRef('bank', `token-${at}`) }] }),
    );
    const { pod, warnings } = decide(podOf({ 'app-id': 'web' }), many);
    expect(warnings.join()).toContain(`name ${ENDPOINT_SECRETS_MAX + 1} keys of Secrets`);
    expect(JSON.stringify(pod).match(/token-\d+"/g)?.length).toBe(ENDPOINT_SECRETS_MAX * 2);
  });
});
