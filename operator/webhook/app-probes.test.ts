// Probes that the sidecar does in the kubelet's place: which are, as what, and that the sidecar can read what it is told.
import type { V1Container, V1Pod, V1Probe } from '@kubernetes/client-node';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePodSidecar } from '../../api/pod-sidecar.ts';
import { must } from '../../kit/result.ts';
import { injectSidecar } from './patch.ts';
import { CONFIG, podOf, SHOP, settingsOf } from './testing.ts';

const ASKED = { 'rewrite-probes': 'true' };

function inject(pod: V1Pod, values: Readonly<Record<string, string>> = ASKED) {
  return injectSidecar(pod, settingsOf(values), SHOP, CONFIG);
}

function podWith(app: Partial<V1Container>, values: Readonly<Record<string, string>> = ASKED): V1Pod {
  return podOf({ 'app-id': 'web', ...values }, { containers: [{ name: 'app', image: 'app:1', ...app }] });
}

function injected(app: Partial<V1Container>, values: Readonly<Record<string, string>> = ASKED): V1Pod {
  return must(inject(podWith(app, values), values)).pod;
}

function probesTold({ spec }: V1Pod) {
  const variable = spec?.initContainers?.[0]?.env?.find(({ name }) => name === 'INVOKE_SIDECAR');
  return must(parsePodSidecar(variable?.value)).appProbes;
}

const appOf = ({ spec }: V1Pod) => spec?.containers[0];
const PORTS = { ports: [{ name: 'web', containerPort: 8080 }] };

describe('a probe', () => {
  test('by HTTP becomes one of the sidecar, with its own times, and the sidecar is told what it was', () => {
    const httpHeaders = [
      { name: 'Host', value: 'shop.example' },
      { name: 'X-Probe', value: 'yes' },
      { name: 'Connection', value: 'close' },
    ];
    const httpGet = { path: '/alive?deep=1', port: 'web', scheme: 'HTTPS', httpHeaders };
    const pod = injected({
      ...PORTS,
      livenessProbe: { httpGet, timeoutSeconds: 4, periodSeconds: 7, failureThreshold: 2 },
    });
    expect(appOf(pod)?.livenessProbe).toEqual({
      httpGet: { path: '/app-probes/app/liveness', port: 3501, scheme: 'HTTP' },
      ...{ timeoutSeconds: 4, periodSeconds: 7, failureThreshold: 2 },
    });
    expect(probesTold(pod)).toEqual([
      {
        ...{ page: '/app-probes/app/liveness', kind: 'http', port: 8080, timeoutMs: 4000, isTls: true },
        ...{ target: '/alive?deep=1', authority: 'shop.example', fields: ['x-probe', 'yes'] },
      },
    ]);
  });

  test('by TCP and by gRPC does, too, at the port of the sidecar where that was moved', () => {
    const values = { ...ASKED, 'public-port': '4501' };
    const readinessProbe = { tcpSocket: { port: 8080 } };
    const pod = injected({ readinessProbe, startupProbe: { grpc: { port: 9000, service: 'shop.Orders' } } }, values);
    expect(appOf(pod)?.readinessProbe).toEqual({
      httpGet: { path: '/app-probes/app/readiness', port: 4501, scheme: 'HTTP' },
    });
    expect(probesTold(pod)).toEqual([
      { page: '/app-probes/app/readiness', kind: 'tcp', port: 8080, timeoutMs: 1000 },
      { page: '/app-probes/app/startup', kind: 'grpc', port: 9000, timeoutMs: 1000, service: 'shop.Orders' },
    ]);
  });

  test('of an init container that goes on running does, too', () => {
    const probe = { tcpSocket: { port: 7000 } };
    const initContainers = [{ name: 'proxy', image: 'x', restartPolicy: 'Always', startupProbe: probe }];
    const { pod } = must(inject(podOf({ 'app-id': 'web', ...ASKED }, { initContainers })));
    expect(pod.spec?.initContainers?.[1]?.startupProbe?.httpGet?.path).toBe('/app-probes/proxy/startup');
    expect(probesTold(pod)).toMatchObject([{ page: '/app-probes/proxy/startup', port: 7000 }]);
  });

  test.each<[string, V1Probe]>([
    ['runs a program in the container', { exec: { command: ['true'] } }],
    ['is about another host', { httpGet: { host: '10.0.0.1', port: 8080 } }],
    ['connects to another host', { tcpSocket: { host: '10.0.0.1', port: 8080 } }],
    ['asks the sidecar for its own health', { httpGet: { path: '/v1.0/healthz', port: 3501 } }],
    ['would call out by the app API', { httpGet: { path: '/v1.0/invoke/orders/method/pay', port: 3500 } }],
    ['names a port that there is not', { httpGet: { port: 'nowhere' } }],
    ['looks as if it had been rewritten', { httpGet: { path: '/app-probes/app/liveness', port: 3501 } }],
  ])('that %s is left to the kubelet', (_, livenessProbe) => {
    const pod = injected({ ...PORTS, livenessProbe });
    expect(appOf(pod)?.livenessProbe).toEqual(livenessProbe);
    expect(probesTold(pod)).toBeUndefined();
  });

  test('is left as it is where nobody asked', () => {
    const livenessProbe = { httpGet: { port: 8080 } };
    const pod = injected({ livenessProbe }, {});
    expect(appOf(pod)?.livenessProbe).toEqual(livenessProbe);
    expect(probesTold(pod)).toBeUndefined();
  });

  test.each([
    [undefined, '/'],
    ['alive', '/alive'],
    ['/a b/ä?q=%20#top', '/a%20b/%C3%A4?q=%20'],
    ['//other.example/x', '//other.example/x'],
  ])('of the path %s asks for %s', (path, target) => {
    const httpGet = { port: 8080, ...(path !== undefined && { path }) };
    expect(probesTold(injected({ livenessProbe: { httpGet } }))).toMatchObject([{ target }]);
  });
});

describe('the pod is refused', () => {
  const refusal = (httpHeaders: { name: string; value: string }[]) => {
    const answer = inject(podWith({ livenessProbe: { httpGet: { port: 8080, httpHeaders } } }));
    return answer.ok ? 'not' : answer.error.join('\n');
  };

  test.each([
    ['X-A', 'a\r\nx-b: c'],
    ['X A', 'b'],
    ['Host', 'a b'],
  ])('for a header %s: %j that cannot be sent', (name, value) => {
    expect(refusal([{ name, value }])).toBe(
      'the probe app liveness has a header that cannot be sent; see to its httpHeaders, or take invoke.io/rewrite-probes away',
    );
  });

  test('for probes that are longer than a variable may be', () => {
    expect(refusal([{ name: 'x', value: 'x'.repeat(40_000) }])).toMatch(/^the probes of its containers are too long/);
  });
});

test('doing it twice is doing it once, also when somebody has changed a probe in between', () => {
  const once = injected({
    livenessProbe: { httpGet: { path: '/a', port: 8080 } },
    readinessProbe: { tcpSocket: { port: 8080 } },
  });
  const again = must(inject(once)).pod;
  expect(again).toEqual(once);
  const changed = structuredClone(once);
  Object.assign(changed.spec?.containers[0] ?? {}, { readinessProbe: { tcpSocket: { port: 8081 } } });
  expect(probesTold(must(inject(changed)).pod)).toMatchObject([
    { page: '/app-probes/app/liveness', kind: 'http', target: '/a' },
    { page: '/app-probes/app/readiness', kind: 'tcp', port: 8081 },
  ]);
});

test('whatever a probe of HTTP says, the sidecar can read what it is told, or the pod is refused', () => {
  const header = fc.record({ name: fc.string({ maxLength: 10 }), value: fc.string({ unit: 'binary', maxLength: 20 }) });
  const httpGet = fc.record(
    {
      path: fc.string({ unit: 'binary', maxLength: 30 }),
      port: fc.constantFrom(8080, 'web', '81', 'x'),
      scheme: fc.constantFrom('HTTP', 'HTTPS'),
      httpHeaders: fc.array(header, { maxLength: 3 }),
    },
    { requiredKeys: ['port'] },
  );
  fc.assert(
    fc.property(httpGet, (asked) => {
      const answer = inject(podWith({ ...PORTS, livenessProbe: { httpGet: asked } }));
      if (!answer.ok) return;
      const told = probesTold(answer.value.pod) ?? [];
      for (const probe of told) expect(probe.kind === 'http' && probe.target).toMatch(/^\/[!-~]*$/);
      expect(must(inject(answer.value.pod)).pod).toEqual(answer.value.pod);
    }),
  );
});
