// What a Resiliency asks for per target: which policies calls go by, and how they are spread over the target's instances.

import { excerpt } from '../../kit/text.ts';
import { duration, durationOrZero, EITHER_HTTP_OR_GRPC, headerName, labels, name, operationFields } from './fields.ts';
import { celText, dictionary, integer, named, object, oneOf, type Rule, ruled, text, yesOrNo } from './schema.ts';

const policyName = (kind: string, what: string) =>
  text(`${what}, as the name of one of policies.${kind}.`, 253).optional();

const hedging = object(
  'A second try before the first has failed, for operations that are idempotent, within the retry budget.',
  {
    delay: duration('How long to wait for the first.'),
    maxExtra: integer('How many more tries there may be at a time.', 1, 4).default(1),
  },
);

/** Of a target, and of each of its routes. */
const wayFields = {
  timeout: policyName('timeouts', 'How long one try may take'),
  totalTimeout: policyName('timeouts', 'How long the call may take with all its tries'),
  retry: policyName('retries', 'How to try again'),
  circuitBreaker: policyName('circuitBreakers', 'When to stop calling for a while'),
  hedging: hedging.optional(),
};

const route = ruled(
  object('Operations that go by policies of their own; what it leaves out is as for the target.', {
    name: name('What the route is called in metrics and logs.'),
    ...operationFields,
    idempotent: yesOrNo(
      'Whether doing it twice does no more than doing it once. Left out: GET, HEAD, OPTIONS, PUT and DELETE are, everything else is not.',
    ).optional(),
    ...wayFields,
  }),
  EITHER_HTTP_OR_GRPC,
);

const balancing = object('How the next instance is picked.', {
  algorithm: oneOf('By what it is picked. peak-ewma: by latency and load; consistent-hash: by a header.', [
    'peak-ewma',
    'least-request',
    'round-robin',
    'random',
    'consistent-hash',
  ]).default('peak-ewma'),
  hashHeader: headerName('The request header that consistent-hash goes by.').optional(),
  slowStart: durationOrZero('How long a new instance takes to get its full share; 0s: at once.').default('0s'),
  zone: oneOf('Whether instances of the own zone come first, as long as they can take the load.', [
    'prefer',
    'ignore',
  ]).default('prefer'),
  subsets: named(
    'Shares of the calls for instances with certain labels. Left out: all instances are alike.',
    'name',
    object('Instances that share labels, and their share of the calls.', {
      name: name('What the subset is called in metrics.'),
      labels: labels('Labels that the pods of the subset have.'),
      weight: integer('Its share, relative to the weights of the others.', 0, 1000),
    }),
    16,
  ).optional(),
});

const ejection = object('When an instance that fails is left alone for a while.', {
  enabled: yesOrNo('Whether instances are ejected at all.').default(true),
  consecutiveFailures: integer('An instance is ejected after so many failures in a row.', 1, 1000).default(5),
  baseTime: duration('How long it is left alone the first time; each time in a row doubles it.').default('10s'),
  maxTime: duration('How long it is left alone at most.').default('300s'),
  maxPercent: integer('The share of the instances that may be ejected at once.', 0, 100).default(50),
});

const retryBudget = object('How much load retries may add.', {
  percent: integer('Retries may be so many of a hundred calls.', 0, 100).default(20),
  minPerSecond: integer('So many retries a second are allowed however few calls there are.', 0, 1000).default(1),
});

const builtInRetries = object('Retries that need no policy.', {
  undelivered: yesOrNo('Whether a call that provably reached no app goes to another instance.').default(true),
  idempotent: yesOrNo('Whether an idempotent call that broke before its answer goes once to another instance.').default(
    true,
  ),
});

/** Of a target, by those that call it; of an app, by itself. */
export const limits = object('How many calls there may be at once.', {
  maxInFlight: integer('How many calls may be under way.', 1, 1_000_000),
  queueSize: integer('How many more may wait for their turn.', 0, 100_000).default(0),
  queueTimeout: duration('How long they may wait.').default('1s'),
});

const target = ruled(
  object('How to call one app.', {
    ...wayFields,
    circuitBreakerCacheSize: integer(
      'For how many operations of the app a breaker of its own is kept.',
      1,
      10_000,
    ).default(100),
    routes: named(
      'Operations that go by policies of their own. The most specific one counts.',
      'name',
      route,
      16,
    ).optional(),
    balancing: balancing.optional(),
    ejection: ejection.optional(),
    retryBudget: retryBudget.optional(),
    builtInRetries: builtInRetries.optional(),
    limits: limits.optional(),
  }),
  {
    cel: "!has(self.balancing) || (self.balancing.algorithm == 'consistent-hash') == has(self.balancing.hashHeader)",
    holds: ({ balancing }) =>
      balancing === undefined || (balancing.algorithm === 'consistent-hash') === (balancing.hashHeader !== undefined),
    message: 'algorithm: consistent-hash goes with hashHeader, and no other algorithm does',
  },
);

const TARGET_NAME = /^[a-z*]([-a-z0-9*]{0,62}[a-z0-9*])?([.][a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?)?$/;
const TARGET_MATCHES = `app.matches(${celText(TARGET_NAME.source)})`;
const wrongNames = (apps: Record<string, unknown>) => Object.keys(apps).filter((app) => !TARGET_NAME.test(app));
const TARGET_NAMES: Rule<Record<string, unknown>> = {
  cel: `self.all(app, ${TARGET_MATCHES})`,
  holds: (apps) => wrongNames(apps).length === 0,
  about: {
    cel: `'"' + self.filter(app, !${TARGET_MATCHES})[0] + '"'`,
    of: (apps) => `"${excerpt(wrongNames(apps)[0] ?? '')}"`,
  },
  message: 'write a target as app or app.namespace, in which * stands for any characters',
};

export const targets = object('How to call whom.', {
  apps: dictionary(
    'By the app that is called: web, or web.shop for an app of the namespace shop; * stands for any characters. The most specific one counts.',
    target,
    50,
    TARGET_NAMES,
  ).default({}),
});
