// A Resiliency as the API server keeps it and the feed brings it. A word that this version does not know is left aside: it narrows
// nobody's rights.
import type { ResiliencySpec } from '../../api/resources/resiliency.ts';
import { parseTrip } from '../../api/trip.ts';
import { parseDuration } from '../../kit/quantity.ts';
import { optional, parsedBy, type Reader, record, text, truth, wholeNumber } from '../../kit/record.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { parseOneOf } from '../../kit/values.ts';
import { items, PATTERN, spelled, TRUST_DOMAIN, withDefault } from '../fields.ts';

export function readStoredResiliency(spec: unknown): Result<ResiliencySpec> {
  const read = SPEC(spec);
  return read.ok ? namesWhatIsThere(read.value) : read;
}

type Policies = ResiliencySpec['policies'];
type SpecTarget = ResiliencySpec['targets']['apps'][string];
type SpecRoute = NonNullable<SpecTarget['routes']>[number];
type SpecBalancing = NonNullable<SpecTarget['balancing']>;
type SpecBreaker = Policies['circuitBreakers'][string];
type SpecRetry = Policies['retries'][string];
type SpecInbound = NonNullable<ResiliencySpec['inbound']>;
type SpecRate = NonNullable<SpecInbound['rateLimits']>[number];

const duration: Reader<string> = parsedBy((written) => {
  const read = parseDuration(written);
  return read.ok ? ok(written) : read;
});
const trip: Reader<string> = parsedBy((written) => {
  const read = parseTrip(written);
  return read.ok ? ok(written) : read;
});
const codes = spelled(/^\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*$/, 'a list of codes');
const count = wholeNumber(0);
const some = wholeNumber(1);
const percent = wholeNumber(0, 100);
const oneOf = <T extends string>(words: readonly T[]): Reader<T> => parsedBy(parseOneOf(words));

const several = <T>(read: Reader<T>): Reader<T[]> => items(read, 0);

/** By name; whatever the names are. */
function dictionary<T>(read: Reader<T>): Reader<Record<string, T>> {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return err('it is no object');
    const entries: [string, T][] = [];
    for (const [name, written] of Object.entries(value)) {
      const item = read(written);
      if (!item.ok) return err(`[${name}]: ${item.error}`);
      entries.push([name, item.value]);
    }
    return ok(Object.fromEntries(entries));
  };
}

const retry = record<SpecRetry>({
  policy: withDefault(oneOf(['constant', 'exponential']), 'constant'),
  duration: withDefault(duration, '5s'),
  maxInterval: withDefault(duration, '60s'),
  maxRetries: withDefault(wholeNumber(-1), -1),
  jitter: optional(oneOf(['full', 'none'])),
  matching: optional(
    record<NonNullable<SpecRetry['matching']>>({
      httpStatusCodes: optional(codes),
      gRPCStatusCodes: optional(codes),
    }),
  ),
});

const breaker = record<SpecBreaker>({
  maxRequests: withDefault(some, 1),
  interval: withDefault(duration, '0s'),
  timeout: withDefault(duration, '60s'),
  trip: optional(trip),
  consecutiveFailures: optional(some),
  failureRatio: optional(
    record<NonNullable<SpecBreaker['failureRatio']>>({
      percent: wholeNumber(1, 100),
      window: withDefault(duration, '10s'),
      minRequests: withDefault(some, 20),
    }),
  ),
});

const way = {
  timeout: optional(text),
  totalTimeout: optional(text),
  retry: optional(text),
  circuitBreaker: optional(text),
  hedging: optional(
    record<NonNullable<SpecTarget['hedging']>>({ delay: duration, maxExtra: withDefault(wholeNumber(1, 4), 1) }),
  ),
};

const route = record<SpecRoute>({
  ...way,
  name: text,
  methods: optional(several(text)),
  paths: optional(several(text)),
  grpc: optional(several(text)),
  idempotent: optional(truth),
});

const balancing = record<SpecBalancing>({
  algorithm: withDefault(
    oneOf(['peak-ewma', 'least-request', 'round-robin', 'random', 'consistent-hash']),
    'peak-ewma',
  ),
  hashHeader: optional(text),
  slowStart: withDefault(duration, '0s'),
  zone: withDefault(oneOf(['prefer', 'ignore']), 'prefer'),
  subsets: optional(
    several(
      record<NonNullable<SpecBalancing['subsets']>[number]>({ name: text, labels: dictionary(text), weight: count }),
    ),
  ),
});

const limits = record<NonNullable<SpecTarget['limits']>>({
  maxInFlight: some,
  queueSize: withDefault(count, 0),
  queueTimeout: withDefault(duration, '1s'),
});

const target = record<SpecTarget>({
  ...way,
  circuitBreakerCacheSize: withDefault(some, 100),
  routes: optional(several(route)),
  balancing: optional(balancing),
  ejection: optional(
    record<NonNullable<SpecTarget['ejection']>>({
      enabled: withDefault(truth, true),
      consecutiveFailures: withDefault(some, 5),
      baseTime: withDefault(duration, '10s'),
      maxTime: withDefault(duration, '300s'),
      maxPercent: withDefault(percent, 50),
    }),
  ),
  retryBudget: optional(
    record<NonNullable<SpecTarget['retryBudget']>>({
      percent: withDefault(percent, 20),
      minPerSecond: withDefault(count, 1),
    }),
  ),
  builtInRetries: optional(
    record<NonNullable<SpecTarget['builtInRetries']>>({
      undelivered: withDefault(truth, true),
      idempotent: withDefault(truth, true),
    }),
  ),
  limits: optional(limits),
});

const rate = record<SpecRate>({
  from: optional(
    several(
      record<NonNullable<SpecRate['from']>[number]>({
        app: optional(PATTERN),
        namespace: optional(PATTERN),
        trustDomain: optional(TRUST_DOMAIN),
      }),
    ),
  ),
  requests: some,
  per: withDefault(duration, '1s'),
  burst: optional(some),
});

const SPEC: Reader<ResiliencySpec> = record<ResiliencySpec>({
  scopes: optional(several(text)),
  policies: withDefault(
    record<Policies>({
      timeouts: withDefault(dictionary(duration), {}),
      retries: withDefault(dictionary(retry), {}),
      circuitBreakers: withDefault(dictionary(breaker), {}),
    }),
    { timeouts: {}, retries: {}, circuitBreakers: {} },
  ),
  targets: withDefault(record<ResiliencySpec['targets']>({ apps: withDefault(dictionary(target), {}) }), { apps: {} }),
  inbound: optional(
    record<SpecInbound>({
      limits: optional(limits),
      shedding: withDefault(oneOf(['none', 'gradient']), 'none'),
      rateLimits: optional(several(rate)),
    }),
  ),
});

const KINDS = [
  ['timeout', 'timeouts'],
  ['totalTimeout', 'timeouts'],
  ['retry', 'retries'],
  ['circuitBreaker', 'circuitBreakers'],
] as const;

/** A name that stands for nothing would leave calls without the policy, and nobody would notice. */
function namesWhatIsThere(spec: ResiliencySpec): Result<ResiliencySpec> {
  for (const [app, { routes = [], ...otherwise }] of Object.entries(spec.targets.apps))
    for (const one of [otherwise, ...routes])
      for (const [field, kind] of KINDS) {
        const name = one[field];
        if (name !== undefined && !Object.hasOwn(spec.policies[kind], name))
          return err(`targets.apps[${app}]: ${field} names "${name}", which policies.${kind} does not have`);
      }
  return ok(spec);
}
