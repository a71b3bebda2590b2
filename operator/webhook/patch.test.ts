// The injected pod: what is added, what is left alone, what is refused; and that doing it twice is doing it once.
import type { V1Container, V1Pod } from '@kubernetes/client-node';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePodSidecar } from '../../api/pod-sidecar.ts';
import { must } from '../../kit/result.ts';
import { injectSidecar, isMeshed } from './patch.ts';
import { CONFIG, podOf, SHOP, settingsOf } from './testing.ts';

function inject(pod: V1Pod, values: Readonly<Record<string, string>> = {}) {
  return injectSidecar(pod, settingsOf(values), SHOP, CONFIG);
}

function injected(values: Readonly<Record<string, string>> = {}, spec: Partial<V1Pod['spec']> = {}): V1Pod {
  return must(inject(podOf({ 'app-id': 'web', ...values }, spec), values)).pod;
}

function sidecarOf(pod: V1Pod): V1Container {
  const [sidecar] = pod.spec?.initContainers ?? [];
  if (sidecar?.name !== 'invoke-sidecar') throw new Error('the sidecar does not stand first');
  return sidecar;
}

function refusals(values: Readonly<Record<string, string>>, spec: Partial<V1Pod['spec']>, pod?: V1Pod): string {
  const answer = inject(pod ?? podOf({ 'app-id': 'web', ...values }, spec), values);
  return answer.ok ? 'none' : answer.error.join('\n');
}

const variable = ({ env = [] }: V1Container, name: string) => env.find((one) => one.name === name)?.value;

describe('the sidecar', () => {
  test('is a native one, first among the init containers', () => {
    const pod = injected({}, { initContainers: [{ name: 'own', image: 'own:1' }] });
    expect(pod.spec?.initContainers?.map(({ name }) => name)).toEqual(['invoke-sidecar', 'own']);
    expect(sidecarOf(pod).restartPolicy).toBe('Always');
  });

  test('passes the restricted standard, on a read-only root', () => {
    expect(sidecarOf(injected()).securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });

  test('is told what it needs in one variable, which a sidecar can read', () => {
    const config = must(parsePodSidecar(variable(sidecarOf(injected({ 'app-port': '8080' })), 'INVOKE_SIDECAR')));
    expect(config).toMatchObject({ appId: 'web', namespace: 'shop', appPort: 8080, appHost: 'localhost' });
    expect(config).toMatchObject({ appProtocol: 'http', grpcPort: 50001 });
    expect(config).toMatchObject({
      httpPort: 3500,
      grpcPort: 50001,
      publicPort: 3501,
      peerPort: 50002,
      metricsPort: 9090,
    });
    expect(config.sentryAddress).toBe('invoke-sentry.invoke-system.svc.cluster.local:50001');
    expect(config.feedAddress).toBe('invoke-operator.invoke-system.svc.cluster.local:50003');
    const quiet = injected({ 'enable-metrics': 'false', 'max-body-size': '0' });
    const limitless = must(parsePodSidecar(variable(sidecarOf(quiet), 'INVOKE_SIDECAR')));
    expect(limitless.metricsPort).toBeUndefined();
    expect(limitless.bodyBytesMax).toBeUndefined();
  });

  test('holds the token for the sentry, and no other container does', () => {
    const pod = injected({}, { initContainers: [{ name: 'own', image: 'own:1' }] });
    const sources = pod.spec?.volumes?.find(({ name }) => name === 'invoke-token')?.projected?.sources;
    const audience = 'spiffe://cluster.local/ns/invoke-system/invoke-sentry';
    expect(sources).toEqual([{ serviceAccountToken: { audience, expirationSeconds: 3600, path: 'token' } }]);
    const others = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers?.slice(1) ?? [])];
    expect(others.flatMap(({ volumeMounts = [] }) => volumeMounts)).toEqual([]);
  });

  test("holds no API token: an empty folder is mounted where admission would put the pod's", () => {
    const mounts = sidecarOf(injected()).volumeMounts?.map(({ mountPath }) => mountPath);
    expect(mounts).toContain('/var/run/secrets/kubernetes.io/serviceaccount');
  });

  test('follows the trust bundle: no file of it is mounted by itself', () => {
    const trust = sidecarOf(injected()).volumeMounts?.find(({ name }) => name === 'invoke-trust');
    expect(trust).toEqual({ name: 'invoke-trust', mountPath: '/var/run/secrets/invoke.io/trust', readOnly: true });
  });

  test('is started when it can call out, ready when it can be called, and never killed for waiting', () => {
    const { startupProbe, readinessProbe, livenessProbe, lifecycle } = sidecarOf(injected({ 'public-port': '4501' }));
    expect(startupProbe).toMatchObject({ httpGet: { path: '/v1.0/healthz/outbound', port: 4501 }, periodSeconds: 1 });
    expect(startupProbe?.failureThreshold).toBeGreaterThan(86_400);
    expect(readinessProbe).toMatchObject({ httpGet: { path: '/v1.0/healthz', port: 4501 } });
    expect(livenessProbe).toBeUndefined();
    expect(lifecycle?.preStop?.exec?.command).toEqual(['touch', '/var/run/invoke/drain']);
  });

  test('names the ports by which others find it', () => {
    const named = (values: Record<string, string>) =>
      sidecarOf(injected(values)).ports?.map(({ name, containerPort }) => [name, containerPort]);
    expect(named({ 'internal-grpc-port': '4502' })).toEqual([
      ['invoke-public', 3501],
      ['invoke-peer', 4502],
      ['invoke-metrics', 9090],
    ]);
    expect(named({ 'enable-metrics': 'no' })).toHaveLength(2);
  });

  test('has the resources of its annotations', () => {
    const { resources } = sidecarOf(injected({ 'sidecar-cpu-request': '10m', 'sidecar-memory-limit': '64Mi' }));
    expect(resources).toEqual({ requests: { cpu: '10m' }, limits: { memory: '64Mi' } });
    expect(sidecarOf(injected()).resources).toBeUndefined();
  });
});

describe('the containers of the user', () => {
  const init = { initContainers: [{ name: 'own', image: 'own:1' }] };
  const preStopOf = (pod: V1Pod) => pod.spec?.containers.map(({ lifecycle }) => lifecycle?.preStop);

  test('serve on for a moment when the pod is to end, so that callers can turn elsewhere', () => {
    expect(preStopOf(injected({ 'app-port': '8080' }))).toEqual([{ sleep: { seconds: 2 } }]);
    expect(preStopOf(injected({ 'app-port': '8080', 'app-drain-seconds': '7' }))).toEqual([{ sleep: { seconds: 7 } }]);
  });

  test('are told at once where nobody calls them, where it is not wanted, and where there is no time', () => {
    expect(preStopOf(injected())).toEqual([undefined]);
    expect(preStopOf(injected({ 'app-port': '8080', 'app-drain-seconds': '0' }))).toEqual([undefined]);
    expect(preStopOf(injected({ 'app-port': '8080' }, { terminationGracePeriodSeconds: 2 }))).toEqual([undefined]);
  });

  test('keep a preStop of their own', () => {
    const own = { name: 'app', image: 'app:1', lifecycle: { preStop: { exec: { command: ['bye'] } } } };
    expect(preStopOf(injected({ 'app-port': '8080' }, { containers: [own] }))).toEqual([own.lifecycle.preStop]);
  });

  test('are told where the sidecar is, init containers too, and what they set themselves holds', () => {
    const own = { name: 'app', image: 'app:1', env: [{ name: 'DAPR_HTTP_PORT', value: '1' }] };
    const pod = injected({ 'http-port': '4500', 'app-protocol': 'grpc' }, { ...init, containers: [own] });
    for (const container of [pod.spec?.containers[0], pod.spec?.initContainers?.[1]]) {
      if (container === undefined) throw new Error('a container is gone');
      expect(variable(container, 'INVOKE_HTTP_PORT')).toBe('4500');
      expect(variable(container, 'DAPR_GRPC_PORT')).toBe('50001');
      expect(variable(container, 'APP_PROTOCOL')).toBe('grpc');
    }
    expect(pod.spec?.containers[0]?.env?.filter(({ name }) => name === 'DAPR_HTTP_PORT')).toEqual(own.env);
  });

  test('get the API token from its Secret, and so does the sidecar; no token stands in the pod', () => {
    const pod = injected({ 'api-token-secret': 'api', 'app-token-secret': 'app' });
    const secret = (name: string) => ({ secretKeyRef: { name, key: 'token' } });
    const from = ({ env = [] }: V1Container) =>
      Object.fromEntries(env.flatMap(({ name, valueFrom }) => (valueFrom ? [[name, valueFrom]] : [])));
    expect(from(sidecarOf(pod))).toEqual({ INVOKE_API_TOKEN: secret('api'), APP_API_TOKEN: secret('app') });
    expect(from(pod.spec?.containers[0] ?? { name: '' })).toEqual({
      DAPR_API_TOKEN: secret('api'),
      INVOKE_API_TOKEN: secret('api'),
    });
  });
});

test('the sidecar of an app behind TLS gets who vouches for it from a Secret, and for what name; without TLS it gets nothing', () => {
  const secretsOf = (values: Readonly<Record<string, string>>) =>
    sidecarOf(injected(values)).env?.flatMap(({ name, valueFrom }) => (valueFrom ? [[name, valueFrom]] : []));
  const tls = { 'app-protocol': 'https', 'app-tls-ca-secret': 'shop-ca', 'app-tls-server-name': 'shop.example' };
  expect(secretsOf(tls)).toEqual([['INVOKE_APP_CA', { secretKeyRef: { name: 'shop-ca', key: 'ca.crt' } }]]);
  const configOf = (values: Readonly<Record<string, string>>) =>
    must(parsePodSidecar(variable(sidecarOf(injected(values)), 'INVOKE_SIDECAR')));
  expect(configOf(tls)).toMatchObject({ appProtocol: 'https', appTlsServerName: 'shop.example' });
  expect(configOf(tls).isAppTlsUnverified).toBeUndefined();
  expect(configOf({ 'app-protocol': 'grpcs', 'app-tls-unverified': 'on' }).isAppTlsUnverified).toBe(true);
  expect(secretsOf({ 'app-protocol': 'h2c' })).toEqual([]);
});

test('the sidecar is told which upgrades it carries', () => {
  const configOf = (values: Readonly<Record<string, string>>) =>
    must(parsePodSidecar(variable(sidecarOf(injected(values)), 'INVOKE_SIDECAR')));
  expect(configOf({ 'upgrade-protocols': 'Talk, chat/2' }).upgradeProtocols).toEqual(['talk', 'chat/2']);
  expect(configOf({}).upgradeProtocols).toBeUndefined();
});

test('the sidecar is told how its app is looked after', () => {
  const values = { 'app-port': '8080', 'app-max-concurrency': '5', 'enable-app-health-check': 'true' };
  const config = must(parsePodSidecar(variable(sidecarOf(injected(values)), 'INVOKE_SIDECAR')));
  expect(config.appMaxConcurrency).toBe(5);
  expect(config.appHealth).toEqual({ path: '/healthz', intervalMs: 5000, timeoutMs: 500, threshold: 3 });
  const left = must(parsePodSidecar(variable(sidecarOf(injected({ 'app-port': '8080' })), 'INVOKE_SIDECAR')));
  expect([left.appMaxConcurrency, left.appHealth]).toEqual([undefined, undefined]);
});

test('the pod is labelled with its app id, with or without labels of its own', () => {
  expect(injected().metadata?.labels).toEqual({ 'invoke.io/app-id': 'web' });
  const labelled = { ...podOf({ 'app-id': 'web' }), metadata: { labels: { a: 'b' } } };
  expect(must(inject(labelled)).pod.metadata?.labels).toEqual({ a: 'b', 'invoke.io/app-id': 'web' });
});

test('a pod without containers is left for the API server to refuse', () => {
  const pod: V1Pod = JSON.parse('{"metadata":{"annotations":{"invoke.io/app-id":"web"}},"spec":{"containers":null}}');
  expect(must(inject(pod)).pod.spec?.containers).toEqual([]);
});

test('pods that did not ask, mirror pods and Windows pods are none of ours', () => {
  expect(isMeshed(podOf({ 'app-id': 'web' }))).toBe(true);
  expect(isMeshed({ spec: { containers: [] } })).toBe(false);
  expect(isMeshed(podOf({ 'app-port': '80' }))).toBe(false);
  expect(isMeshed(podOf({ 'app-id': 'web' }, { os: { name: 'windows' } }))).toBe(false);
  const mirror = { 'invoke.io/app-id': 'web', 'kubernetes.io/config.mirror': 'x' };
  expect(isMeshed({ metadata: { annotations: mirror } })).toBe(false);
});

describe('refused, with what to write instead:', () => {
  const declaring = (port: object) => ({ containers: [{ name: 'app', ports: [{ containerPort: 1, ...port }] }] });

  test.each([
    ['http-port', 3500],
    ['grpc-port', 50001],
    ['public-port', 3501],
    ['internal-grpc-port', 50002],
    ['metrics-port', 9090],
  ])('a declared port that %s takes', (key, port) => {
    const said = refusals({}, declaring({ containerPort: port }));
    expect(said).toBe(
      `the container "app" declares port ${port}, which the sidecar takes; move the sidecar's with invoke.io/${key}`,
    );
    expect(refusals({ [key]: '12345' }, declaring({ containerPort: port }))).toBe('none');
    expect(refusals({}, declaring({ containerPort: port, protocol: 'UDP' }))).toBe('none');
  });

  test('a container of our name that is not ours, wherever it stands', () => {
    const foreign = { name: 'invoke-sidecar', image: 'x' };
    expect(refusals({}, { containers: [foreign] })).toContain("which is the sidecar's name");
    expect(refusals({}, { initContainers: [foreign] })).toContain("which is the sidecar's name");
  });

  test('a port of the name by which sidecars are found', () => {
    expect(refusals({}, declaring({ name: 'invoke-peer' }))).toContain('call it something else');
  });

  test("the sidecar's volumes, taken or mounted by others", () => {
    expect(refusals({}, { volumes: [{ name: 'invoke-token' }] })).toContain('a volume is called "invoke-token"');
    const thief = { name: 'app', volumeMounts: [{ name: 'invoke-token', mountPath: '/t' }] };
    expect(refusals({}, { containers: [thief] })).toContain('for the sidecar alone');
    const again = injected();
    const stolen = { ...again, spec: { ...again.spec, containers: [thief] } };
    expect(refusals({}, {}, stolen)).toContain('for the sidecar alone');
  });

  test('a label with another app id, which a selector may rest on', () => {
    const pod = { ...podOf({ 'app-id': 'web' }), metadata: { labels: { 'invoke.io/app-id': 'other' } } };
    expect(refusals({}, {}, pod)).toContain('take the label away');
  });

  test("the host's network without tokens and ports of its own", () => {
    const host = { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' };
    const bare = refusals({ 'app-port': '8080' }, host);
    for (const key of [
      'api-token-secret',
      'app-token-secret',
      'http-port',
      'grpc-port',
      'public-port',
      'metrics-port',
    ]) {
      expect(bare).toContain(`invoke.io/${key}`);
    }
    const ports = { 'http-port': '1', 'grpc-port': '2', 'public-port': '3', 'internal-grpc-port': '4' };
    const whole = { ...ports, 'enable-metrics': 'false', 'api-token-secret': 'a' };
    expect(refusals(whole, host)).toBe('none');
  });
});

test('warnings say what will not go well, and let it through', () => {
  const warnings = (values: Record<string, string>, spec: Partial<V1Pod['spec']>) =>
    must(inject(podOf({ 'app-id': 'web', ...values }, spec), values)).warnings;
  expect(warnings({}, {})).toEqual([]);
  expect(warnings({ 'graceful-shutdown-seconds': '31' }, {})).toHaveLength(1);
  expect(warnings({ 'graceful-shutdown-seconds': '31' }, { terminationGracePeriodSeconds: 60 })).toEqual([]);
  const unchecked = { 'app-port': '80', 'app-health-check-path': '/alive', 'app-health-threshold': '5' };
  expect(warnings(unchecked, {})).toEqual([
    'invoke.io/app-health-check-path does nothing without invoke.io/enable-app-health-check: "true"',
    'invoke.io/app-health-threshold does nothing without invoke.io/enable-app-health-check: "true"',
  ]);
  expect(warnings({ ...unchecked, 'enable-app-health-check': 'true' }, {})).toEqual([]);
  expect(warnings({ 'enable-app-health-check': 'true' }, {})).toEqual([
    'invoke.io/enable-app-health-check does nothing without invoke.io/app-port',
  ]);
});

test('on a second call, what a LimitRange and AlwaysPullImages have set stays, and nothing else does', () => {
  const pod = injected({ 'sidecar-cpu-request': '10m' });
  const [sidecar, ...rest] = pod.spec?.initContainers ?? [];
  const meddled = {
    ...sidecar,
    name: 'invoke-sidecar',
    image: 'evil',
    command: ['sh'],
    imagePullPolicy: 'Always',
    resources: { requests: { cpu: '1', memory: '1Mi' }, limits: { cpu: '2' } },
  };
  const again = must(
    inject(
      { ...pod, spec: { containers: [], ...pod.spec, initContainers: [...rest, meddled] } },
      { 'sidecar-cpu-request': '10m' },
    ),
  );
  expect(sidecarOf(again.pod)).toEqual({
    ...sidecar,
    imagePullPolicy: 'Always',
    resources: { requests: { cpu: '10m', memory: '1Mi' }, limits: { cpu: '2' } },
  });
});

describe('whatever the pod', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const env = fc.array(fc.record({ name: fc.constantFrom('DAPR_HTTP_PORT', 'X'), value: fc.string() }), {
    maxLength: 2,
  });
  const container = fc.record(
    {
      name,
      image: fc.string(),
      env,
      ports: fc.array(fc.record({ containerPort: fc.integer({ min: 1, max: 3000 }) }), { maxLength: 2 }),
      volumeMounts: fc.array(fc.record({ name, mountPath: fc.string() }), { maxLength: 2 }),
      command: fc.array(fc.string()),
    },
    { requiredKeys: ['name'] },
  );
  const metadata = fc.record(
    {
      name: fc.string(),
      generateName: fc.string(),
      labels: fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
      annotations: fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
      finalizers: fc.array(fc.string(), { maxLength: 2 }),
    },
    { requiredKeys: [] },
  );
  const spec = fc.record(
    {
      containers: fc.array(container, { maxLength: 3 }),
      initContainers: fc.array(container, { maxLength: 2 }),
      volumes: fc.array(fc.record({ name, emptyDir: fc.constant({}) }), { maxLength: 2 }),
      nodeName: fc.string(),
      ephemeralContainers: fc.array(fc.record({ name }), { maxLength: 1 }),
      securityContext: fc.record({ runAsUser: fc.nat() }),
      serviceAccountName: fc.string(),
    },
    { requiredKeys: ['containers'] },
  );
  const pods: fc.Arbitrary<V1Pod> = fc.record({ metadata, spec }, { requiredKeys: ['spec'] });
  const values = fc.constantFrom({}, { 'api-token-secret': 's' }, { 'enable-metrics': 'no', 'http-port': '4500' });

  test('injecting twice is injecting once', () => {
    fc.assert(
      fc.property(pods, values, (pod, values) => {
        const once = must(inject(pod, values)).pod;
        expect(must(inject(once, values)).pod).toEqual(once);
      }),
    );
  });

  test('what is not ours stays as it is, and in its order', () => {
    fc.assert(
      fc.property(pods, values, (pod, values) => {
        const { metadata, spec } = must(inject(pod, values)).pod;
        expect({ ...metadata, labels: null }).toEqual({ ...pod.metadata, labels: null });
        expect(metadata?.labels).toEqual({ ...pod.metadata?.labels, 'invoke.io/app-id': 'web' });
        const { containers, initContainers = [], volumes = [], ...rest } = spec ?? { containers: [] };
        const { containers: _, initContainers: ownInit = [], volumes: ownVolumes = [], ...ownRest } = pod.spec ?? {};
        expect(rest).toEqual(ownRest);
        expect(volumes.slice(0, ownVolumes.length)).toEqual(ownVolumes);
        const own = [...ownInit, ...(pod.spec?.containers ?? [])];
        [...initContainers.slice(1), ...containers].forEach((container, i) => {
          expect({ ...container, env: null }).toEqual({ ...own[i], env: null });
          const { env = [] } = own[i] ?? {};
          expect(container.env?.slice(container.env.length - env.length)).toEqual(env);
        });
      }),
    );
  });
});
