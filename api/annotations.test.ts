// Annotations: read as they were meant, or refused with every mistake at once, each naming its key and saying what to write.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { KNOWN_KEYS, SERVED, type ServedAnnotation } from './annotation-table.ts';
import { UNSERVED } from './annotation-unserved.ts';
import { annotationMistakes, appHealthOf, defaultMistakes, readAnnotations, sidecarPorts } from './annotations.ts';
import { PORTS } from './pod.ts';
import { readNamespacePolicy, sidecarDefaults } from './resources/namespace-policy.ts';

const restricted = Object.values<ServedAnnotation>(SERVED).filter((served) => served.restricted !== undefined);

function annotations(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`invoke.io/${key}`, value]));
}

function read(values: Readonly<Record<string, string>>, allowed: readonly string[] = []) {
  return readAnnotations(annotations({ 'app-id': 'web', ...values }), allowed);
}

function mistakes(values: Readonly<Record<string, string>>, allowed: readonly string[] = []): string {
  const settings = read(values, allowed);
  return settings.ok ? 'none' : settings.error.join('\n');
}

test('an app id is enough, and the rest is what the table says', () => {
  const settings = must(read({}));
  expect(settings).toMatchObject({ appId: 'web', appPort: undefined, appHost: 'localhost', logLevel: 'info' });
  expect(settings).toMatchObject({ appProtocol: 'http', grpcPort: 50001 });
  expect(settings).toMatchObject({ bodyBytesMax: 4 * 2 ** 20, gracefulShutdownMs: 5000, statuses: 'honest' });
  const { http, grpc, public: publicPort, peer, metrics } = PORTS;
  expect([...sidecarPorts(settings).values()]).toEqual([http, grpc, publicPort, peer, metrics]);
});

test('what is written holds', () => {
  const written = {
    'app-port': '8080',
    'app-channel-address': '[::1]',
    'app-protocol': 'grpc',
    'max-body-size': '-1',
    'graceful-shutdown-seconds': '20',
    'enable-metrics': 'off',
    'log-as-json': 'Yes',
    'allowed-origins': 'https://a.example, https://b.example',
    'sidecar-cpu-request': '0.5',
    'sidecar-memory-limit': '128Mi',
  };
  const settings = must(read(written));
  expect(settings).toMatchObject({ appPort: 8080, appProtocol: 'grpc', appHost: '::1' });
  expect(settings).toMatchObject({ bodyBytesMax: Number.POSITIVE_INFINITY });
  expect(settings).toMatchObject({ gracefulShutdownMs: 20_000, isMetricsOn: false, isLogJson: true });
  expect(settings).toMatchObject({ cpuRequest: '0.5', memoryLimit: '128Mi', cpuLimit: undefined });
  expect(settings.allowedOrigins).toEqual(['https://a.example', 'https://b.example']);
  expect(sidecarPorts(settings).has('metricsPort')).toBe(false);
});

test('every mistake is told at once, each by its key', () => {
  const all = mistakes({ 'app-id': 'Web', 'app-port': 'eighty', 'log-level': 'loud', 'max-body-size': 'big' });
  for (const key of ['app-id', 'app-port', 'log-level', 'max-body-size']) expect(all).toContain(`invoke.io/${key}: `);
});

test('without an app id there is nothing to read, but single values can be judged', () => {
  expect(readAnnotations({}, [])).toEqual({ ok: false, error: ['invoke.io/app-id is missing'] });
  expect(annotationMistakes(annotations({ 'app-port': '8080' }), [])).toEqual([]);
});

test.each([
  ['app-prot', 'did you mean invoke.io/app-port?'],
  ['appid', 'did you mean invoke.io/app-id?'],
  ['sidecar-cpu-limits', 'did you mean invoke.io/sidecar-cpu-limit?'],
  ['what-is-this', 'docs/annotations.md lists those that there are'],
])('%s is no annotation: %s', (key, said) => {
  expect(mistakes({ [key]: '1' })).toBe(`invoke.io/${key}: there is no such annotation; ${said}`);
});

test("annotations of others, and the webhook's own marker, are none of our business", () => {
  expect(annotationMistakes({ 'example.com/app-port': 'x', 'invoke.io/copied': 'invoke.io/x' }, [])).toEqual([]);
});

describe('what changes what runs or is trusted', () => {
  const values: Readonly<Record<string, string>> = {
    'sidecar-image': 'registry.example/sidecar:1',
    'app-channel-address': '10.0.0.7',
    statuses: 'dapr',
    env: 'A=1,B=x=y',
    'env-from-secret': 'A=secret,B=other:key',
    'volume-mounts': 'data:/data',
    'volume-mounts-rw': 'data:/data',
  };

  test('is all in this test', () => {
    expect(restricted.map(({ key }) => key).sort()).toEqual(Object.keys(values).sort());
  });

  test.each(Object.entries(values))('%s is refused unless its NamespacePolicy lists it', (key, value) => {
    expect(mistakes({ [key]: value })).toMatch(new RegExp(`^invoke.io/${key}: .*NamespacePolicy$`));
    expect(mistakes({ [key]: value }, ['invoke.io/other'])).toContain('NamespacePolicy');
    expect(mistakes({ [key]: value }, [`invoke.io/${key}`])).toBe('none');
    expect(mistakes({ [key]: value }, [key])).toBe('none');
  });

  test('a loopback address of the app, and honest statuses, need no consent', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]']) {
      expect(mistakes({ 'app-channel-address': host, statuses: 'honest' })).toBe('none');
    }
    for (const host of ['127.evil.example', '0.0.0.0', 'localhost.example']) {
      expect(mistakes({ 'app-channel-address': host })).toContain('NamespacePolicy');
    }
  });

  test('the variables that the webhook sets cannot be set, and nothing is mounted over what the sidecar needs', () => {
    const free = Object.keys(values);
    for (const env of ['INVOKE_SIDECAR=x', 'A=1,APP_API_TOKEN=x']) expect(mistakes({ env }, free)).toContain('webhook');
    for (const path of ['/app', '/', '/var', '/var/run/invoke/x', '//var//run/secrets', '/data/../app']) {
      expect(mistakes({ 'volume-mounts': `data:${path}` }, free)).not.toBe('none');
    }
  });
});

describe('looking after the app', () => {
  test('is off unless it is asked for, with what holds where nobody says', () => {
    const settings = must(read({ 'app-port': '8080', 'app-max-concurrency': '-1' }));
    expect([settings.appMaxConcurrency, appHealthOf(settings)]).toEqual([undefined, undefined]);
    const checked = must(read({ 'app-port': '8080', 'app-max-concurrency': '5', 'enable-app-health-check': 'true' }));
    expect([checked.appMaxConcurrency, appHealthOf(checked)]).toEqual([
      5,
      { path: '/healthz', intervalMs: 5000, timeoutMs: 500, threshold: 3 },
    ]);
    expect(appHealthOf(must(read({ 'enable-app-health-check': 'true' })))).toBeUndefined();
  });

  test('is as the annotations say, in seconds, milliseconds and failures', () => {
    const values = {
      ...{ 'app-port': '8080', 'enable-app-health-check': 'yes', 'app-health-check-path': 'alive?deep=1' },
      ...{ 'app-health-probe-interval': '2', 'app-health-probe-timeout': '1500', 'app-health-threshold': '1' },
    };
    expect(appHealthOf(must(read(values)))).toEqual({
      ...{ path: '/alive?deep=1', intervalMs: 2000, timeoutMs: 1500, threshold: 1 },
    });
    expect(mistakes({ ...values, 'app-health-probe-timeout': '2001' })).toBe(
      'invoke.io/app-health-probe-timeout: 2001 ms is longer than the interval of 2 s; make it shorter',
    );
  });

  test.each([
    ['app-max-concurrency', '0'],
    ['app-health-check-path', '/a b'],
    ['app-health-probe-interval', '0'],
    ['app-health-probe-timeout', '5s'],
    ['app-health-threshold', '-1'],
  ])('%s is not %s', (key, value) => {
    expect(mistakes({ [key]: value })).toContain(`invoke.io/${key}: `);
  });
});

describe('TLS to the app', () => {
  const tls = { 'app-protocol': 'https', 'app-tls-ca-secret': 'shop-ca', 'app-tls-server-name': 'Shop.example' };

  test('is verified, by whom and for which name the annotations say', () => {
    expect(must(read(tls))).toMatchObject({
      appProtocol: 'https',
      appTlsCaSecret: 'shop-ca',
      appTlsServerName: 'shop.example',
      isAppTlsUnverified: false,
    });
    expect(must(read({ 'app-protocol': 'grpcs', 'app-tls-unverified': 'true' })).isAppTlsUnverified).toBe(true);
  });

  test('has annotations that mean nothing without it, or where nothing is verified', () => {
    expect(mistakes({ ...tls, 'app-protocol': 'grpc', 'app-tls-unverified': 'true' }).split('\n')).toEqual([
      'invoke.io/app-tls-ca-secret goes with invoke.io/app-protocol https or grpcs, and that is grpc',
      'invoke.io/app-tls-server-name goes with invoke.io/app-protocol https or grpcs, and that is grpc',
      'invoke.io/app-tls-unverified goes with invoke.io/app-protocol https or grpcs, and that is grpc',
    ]);
    expect(mistakes({ ...tls, 'app-tls-unverified': 'yes' })).toContain('app-tls-ca-secret would mean nothing with');
    expect(mistakes({ 'app-tls-unverified': 'false' })).toBe('none');
  });

  test('in Dapr’s words is refused with ours', () => {
    expect(mistakes({ 'app-ssl': 'true' })).toMatch(/app-protocol: https.*app-tls-ca-secret/);
  });

  test('may be a default of the namespace for those apps that speak it', () => {
    const defaults = [{ of: 'the NamespacePolicy "shop"', values: { 'app-tls-ca-secret': 'shop-ca' } }];
    expect(readAnnotations(annotations({ 'app-id': 'web' }), [], defaults).ok).toBe(true);
  });
});

describe('what is not served', () => {
  test.each(UNSERVED.map((unserved) => [unserved.key, unserved] as const))(
    '%s is refused with the reason',
    (key, { because }) => {
      expect(mistakes({ [key]: 'something' })).toContain(`invoke.io/${key}: "something" cannot be had: ${because}`);
    },
  );

  test.each(UNSERVED.flatMap(({ key, takes }) => takes.map((value) => [key, value] as const)))(
    '%s: %s is taken',
    (key, value) => {
      expect(mistakes({ [key]: value })).toBe('none');
    },
  );
});

describe('ports', () => {
  test('two that are the same are refused, naming both annotations', () => {
    expect(mistakes({ 'http-port': '3501' })).toBe(
      'invoke.io/http-port and invoke.io/public-port are both 3501; give each its own port',
    );
    expect(mistakes({ 'metrics-port': '3500', 'enable-metrics': 'false' })).toBe('none');
  });

  test("an app on one of the sidecar's is refused, naming what moves the sidecar's", () => {
    expect(mistakes({ 'app-port': '50002' })).toContain('move that with invoke.io/internal-grpc-port');
    expect(mistakes({ 'app-port': '50002', 'internal-grpc-port': '50012' })).toBe('none');
  });
});

describe('defaults', () => {
  const layers = [
    { of: 'the NamespacePolicy "shop"', values: { 'log-level': 'debug' } },
    { of: 'the installation', values: { 'log-level': 'error', 'sidecar-image': 'ours', 'metrics-port': '9999' } },
  ];

  test('the pod comes first, then its namespace, then the installation, which needs nobody’s consent', () => {
    const pod = annotations({ 'app-id': 'web' });
    expect(must(readAnnotations(pod, [], layers))).toMatchObject({
      logLevel: 'debug',
      image: 'ours',
      metricsPort: 9999,
    });
    const loud = { ...pod, ...annotations({ 'log-level': 'warn' }) };
    expect(must(readAnnotations(loud, [], layers)).logLevel).toBe('warn');
  });

  test('a bad one is told with whose it is', () => {
    const bad = [{ of: 'the NamespacePolicy "shop"', values: { 'log-level': 'loud' } }];
    expect(readAnnotations(annotations({ 'app-id': 'web' }), [], bad)).toMatchObject({
      error: [expect.stringContaining('invoke.io/log-level, a default of the NamespacePolicy "shop": "loud"')],
    });
    expect(defaultMistakes({ 'log-lever': 'info', 'log-level': 'info' })).toHaveLength(1);
  });

  test('whatever a NamespacePolicy can say of sidecars is an annotation', () => {
    const sidecar = {
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { cpu: 1, memory: '64Mi' } },
      ...{ logLevel: 'debug', logFormat: 'json', maxBodySize: '1Mi', gracefulShutdownSeconds: 3 },
      metrics: { enabled: true, port: 9191 },
    };
    const spec = must(readNamespacePolicy({ sidecar }));
    const values = sidecarDefaults({ metadata: { name: 'shop' }, spec });
    expect(Object.keys(values)).toHaveLength(10);
    expect(defaultMistakes(values)).toEqual([]);
  });
});

test('whatever is written under whatever key, the answer is a value or sentences that begin with the key', () => {
  const key = fc.oneof(fc.constantFrom(...KNOWN_KEYS), fc.string({ maxLength: 20 }));
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 50 }),
    fc.constantFrom('true', '1', '8080', 'a=b', 'v:/p', ''),
  );
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 5 }), fc.array(key), (values, allowed) => {
      const written = annotations(values);
      const found = readAnnotations(written, allowed);
      if (found.ok) return;
      for (const mistake of found.error) {
        expect(mistake).toMatch(/^invoke\.io\//);
        expect(mistake).not.toMatch(/[\x00-\x1f]/);
        expect(mistake.length).toBeLessThan(1500);
      }
    }),
    { numRuns: 200 },
  );
});

test('every default of the table is a value that its own reader takes', () => {
  for (const { initially, parse } of Object.values<ServedAnnotation>(SERVED)) {
    if (initially !== undefined) expect(parse(initially).ok).toBe(true);
  }
});
