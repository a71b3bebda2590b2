// What is armed in the armed shapes, and fails nobody: a hundred rules at the app's sidecar, and resilience at the caller's. Each pair
// that has such things writes them in its own words.
import type { FeedResource } from '../../api/proto/feed.ts';
import { type Shape, speaksGrpc } from './pair.ts';

export interface ArmedRule {
  readonly name: string;
  readonly action: 'allow' | 'deny';
  /** Apps that it is about. */
  readonly callers: readonly string[];
  readonly methods: readonly string[];
  /** Paths one segment below it. */
  readonly folder: string;
  /** In the place of methods and paths, for gRPC. */
  readonly grpc: { readonly service: string; readonly method: string };
}

const RULES = 100;
const POLICIES = 10;
/** What lets the load through is in the middle of them, and what denies the calls that are to be denied at their end. */
const [ALLOWS, DENIES] = [50, 99];

/** A call that the rules deny, though what is measured is so like it. */
export const DENIED = { method: 'DELETE', path: '/bytes/1', grpcPath: '/bench.Echo/Denied' } as const;

export const ARMED_RULES: readonly ArmedRule[] = Array.from({ length: RULES }, (_, i) => {
  const named = { name: `rule-${i}`, callers: ['client', `app-${i}`] };
  const folder = '/bytes';
  if (i === ALLOWS)
    return {
      ...named,
      action: 'allow',
      methods: ['GET', 'POST'],
      folder,
      grpc: { service: 'bench.Echo', method: 'Unary' },
    };
  if (i === DENIES)
    return {
      ...named,
      action: 'deny',
      methods: [DENIED.method],
      folder,
      grpc: { service: 'bench.Echo', method: 'Denied' },
    };
  return {
    ...named,
    action: i % 5 === 4 ? 'deny' : 'allow',
    methods: ['GET', 'PUT'],
    folder: `/v1/things-${i}`,
    grpc: { service: `shop.Things${i}`, method: 'Get' },
  };
});

/** Of the one route at the caller. */
export const ARMED_ROUTE = 'armed';

/** As the operator would send them. */
export function armedResources(shape: Shape, namespace: string): readonly FeedResource[] {
  const resource = (kind: string, name: string, spec: object): FeedResource => ({
    ...{ kind, namespace, name, createdMs: 0, generation: 1 },
    spec: Buffer.from(JSON.stringify(spec)),
  });
  const policies = Array.from({ length: POLICIES }, (_, i) => {
    const own = ARMED_RULES.filter((_rule, at) => Math.floor((at * POLICIES) / RULES) === i);
    const spec = { apps: ['server'], mode: 'enforce', default: 'deny', encodedSlash: 'both' };
    return resource('AccessPolicy', `policy-${i}`, { ...spec, rules: own.map((rule) => ruleOf(rule, shape)) });
  });
  return [...policies, resource('Resiliency', 'armed', resiliency(shape))];
}

function ruleOf({ name, action, callers, methods, folder, grpc }: ArmedRule, shape: Shape) {
  const http = { methods, paths: [`${folder}/{id}`] };
  const to = speaksGrpc(shape) ? { grpc: [`${grpc.service}/${grpc.method}`] } : http;
  return { name, action, from: callers.map((app) => ({ app })), to: [to] };
}

function resiliency(shape: Shape) {
  const operations = speaksGrpc(shape) ? { grpc: ['bench.Echo/*'] } : { paths: ['/bytes/{size}'] };
  const held = { timeout: 'try', totalTimeout: 'whole', retry: 'often', circuitBreaker: 'half' };
  return {
    policies: {
      timeouts: { try: '10s', whole: '30s' },
      retries: { often: { policy: 'exponential', maxInterval: '1s', maxRetries: 3 } },
      circuitBreakers: { half: { timeout: '10s', failureRatio: { percent: 50, window: '10s' } } },
    },
    targets: {
      apps: {
        server: {
          ...held,
          routes: [{ name: ARMED_ROUTE, ...operations, ...held, idempotent: true, hedging: { delay: '10s' } }],
          limits: AMPLE,
          balancing: { algorithm: 'consistent-hash', hashHeader: 'x-request-id' },
        },
      },
    },
    inbound: { limits: AMPLE, rateLimits: [{ requests: 1_000_000, per: '1s' }] },
  };
}

/** More than a measurement has under way. */
const AMPLE = { maxInFlight: 1000, queueSize: 1000 };
