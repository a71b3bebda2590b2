// Objects that the API server takes. Between them they have every field that there is; a test holds them to that.
import { access, endpoint, type GoodExample, namespace, resiliency } from './objects.ts';

export const GOOD_EXAMPLES: readonly GoodExample[] = [
  { says: 'an AccessPolicy that closes a namespace', object: access({}) },
  {
    says: 'an AccessPolicy with every field',
    object: access({
      apps: ['orders', 'stock'],
      mode: 'audit',
      default: 'deny',
      encodedSlash: 'literal',
      rules: [
        {
          name: 'web-reads',
          from: [
            { app: 'web' },
            { app: 'front-*', namespace: 'team-*' },
            { namespace: '*', trustDomain: 'other.example' },
          ],
          to: [
            { methods: ['GET', 'HEAD'], paths: ['/', '/orders/{id}', '/files/**', '/a%2Fb/{x}/c', '/**'] },
            { grpc: ['shop.Orders/Get', 'shop.*/*', '*/*'] },
          ],
        },
        { name: 'nobody-deletes', action: 'deny', to: [{ methods: ['DELETE'] }] },
        { name: 'everybody', from: [{ app: '*', namespace: '*' }], action: 'allow' },
      ],
    }),
  },
  { says: 'a Resiliency that asks for nothing', object: resiliency({}) },
  {
    says: 'a Resiliency in the words of Dapr',
    object: resiliency({
      scopes: ['web'],
      policies: {
        timeouts: { general: '5s', DefaultTimeoutPolicy: '1m30s' },
        retries: {
          often: { policy: 'constant', duration: '5s', maxRetries: -1 },
          later: {
            policy: 'exponential',
            maxInterval: '15s',
            maxRetries: 10,
            matching: { httpStatusCodes: '429,500-599', gRPCStatusCodes: '1-4,8,14' },
          },
        },
        circuitBreakers: {
          simple: { maxRequests: 1, interval: '0s', timeout: '30s', trip: 'consecutiveFailures > 5' },
          ratio: { interval: '10s', trip: 'requests >= 20 && double(totalFailures) / double(requests) > 0.5' },
        },
      },
      targets: {
        apps: {
          orders: { timeout: 'general', retry: 'often', circuitBreaker: 'simple', circuitBreakerCacheSize: 10 },
          'stock.shop': { retry: 'later' },
        },
      },
    }),
  },
  {
    says: 'a Resiliency with what Dapr does not have',
    object: resiliency({
      policies: {
        timeouts: { short: '250ms', long: '1h' },
        retries: { spread: { policy: 'exponential', jitter: 'full', maxRetries: 3 } },
        circuitBreakers: {
          either: { consecutiveFailures: 5, failureRatio: { percent: 50, window: '30s', minRequests: 10 } },
        },
      },
      targets: {
        apps: {
          '*.team-*': {
            timeout: 'short',
            totalTimeout: 'long',
            circuitBreaker: 'either',
            hedging: { delay: '1s', maxExtra: 1 },
            routes: [
              {
                name: 'pay',
                methods: ['POST'],
                paths: ['/payments/{id}'],
                idempotent: true,
                retry: 'spread',
                totalTimeout: 'long',
                circuitBreaker: 'either',
                hedging: { delay: '100ms', maxExtra: 2 },
              },
              { name: 'get', grpc: ['shop.Orders/Get*'], timeout: 'long' },
            ],
            balancing: {
              algorithm: 'consistent-hash',
              hashHeader: 'x-user',
              slowStart: '30s',
              zone: 'ignore',
              subsets: [{ name: 'canary', labels: { track: 'canary' }, weight: 5 }],
            },
            ejection: { enabled: true, consecutiveFailures: 3, baseTime: '5s', maxTime: '60s', maxPercent: 30 },
            retryBudget: { percent: 10, minPerSecond: 2 },
            builtInRetries: { undelivered: true, idempotent: false },
            limits: { maxInFlight: 100, queueSize: 50, queueTimeout: '500ms' },
          },
        },
      },
      inbound: {
        limits: { maxInFlight: 200, queueSize: 10, queueTimeout: '2s' },
        shedding: 'gradient',
        rateLimits: [
          {
            from: [{ app: 'guest', namespace: 'guests', trustDomain: 'other.example' }],
            requests: 10,
            per: '1s',
            burst: 5,
          },
          { requests: 1000 },
        ],
      },
    }),
  },
  { says: 'a NamespacePolicy that asks for nothing', object: namespace({}) },
  { says: 'a NamespacePolicy that closes a namespace', object: namespace({ callableFrom: [], mayCall: [] }) },
  {
    says: 'a NamespacePolicy with every field',
    object: namespace({
      injection: { enabled: false },
      identities: [
        { appId: 'payments', serviceAccounts: ['payments', 'payments.jobs'] },
        { appId: 'retired', serviceAccounts: [] },
      ],
      allowedAnnotations: ['env', 'invoke.io/sidecar-image'],
      callableFrom: [{ namespace: 'team-*' }, { namespace: 'partner', app: 'web', trustDomain: 'other.example' }],
      mayCall: [{ namespace: 'shared-*', app: 'auth' }],
      externalHosts: ['api.example.com', '*.corp.example:8443', '10.0.0.7:8080', '[fd00::7]', 'localhost:9000', '*'],
      defaultAccess: 'deny',
      directTraffic: 'deny',
      traceSampling: '0.01',
      sidecar: {
        resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: 1, memory: '0.25Gi' } },
        logLevel: 'debug',
        logFormat: 'json',
        maxBodySize: '16Mi',
        gracefulShutdownSeconds: 30,
        metrics: { enabled: true, port: 9091 },
      },
    }),
  },
  { says: 'an HTTPEndpoint that is a URL and nothing else', object: endpoint({ baseUrl: 'http://10.0.0.7:8080/v1/' }) },
  {
    says: 'an HTTPEndpoint with every field',
    object: endpoint({
      headers: [
        { name: 'Authorization', secretKeyRef: { name: 'bank.prod', key: 'token' } },
        { name: 'accept-language', value: 'en' },
        { name: 'x-client', envRef: 'BANK_CLIENT' },
      ],
      clientTLS: {
        rootCA: { value: '-----BEGIN CERTIFICATE-----' },
        certificate: { secretKeyRef: { name: 'bank-tls', key: 'tls.crt' } },
        privateKey: { secretKeyRef: { name: 'bank-tls', key: 'tls.key' } },
      },
      scopes: ['web', 'shop'],
    }),
  },
  {
    says: 'an HTTPEndpoint whose values come from wherever they may',
    object: endpoint({
      clientTLS: {
        rootCA: { envRef: 'BANK_CA' },
        certificate: { value: 'PEM' },
        privateKey: { envRef: 'BANK_KEY' },
      },
    }),
  },
  {
    says: 'an HTTPEndpoint with its root in a Secret and the rest elsewhere',
    object: endpoint({
      clientTLS: {
        rootCA: { secretKeyRef: { name: 'bank-tls', key: 'ca.crt' } },
        certificate: { envRef: 'BANK_CERTIFICATE' },
        privateKey: { value: 'PEM' },
      },
    }),
  },
];
