// The named policies of a Resiliency: timeouts, retries and circuit breakers. Words that Dapr's Resiliency has mean what they
// mean there, and have the same defaults.
import { parseTrip, TRIP_WORDS } from '../trip.ts';
import { duration, durationOrZero } from './fields.ts';
import { dictionary, integer, matching, object, oneOf, type Rule, ruled, text } from './schema.ts';

const NAMES_MAX = 64;

const httpStatusCodes = text(
  'Statuses of HTTP that are tried again, such as "429,500-599". Left out: every status of 400 and above.',
  128,
  matching(
    /^[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?)*$/,
    'write statuses and ranges between commas, such as "429,500-599"',
  ),
  { holds: areRangesAscending, message: 'a range runs upwards, such as 500-599' },
);

const grpcStatusCodes = text(
  'Statuses of gRPC that are tried again, by number, such as "1-4,14". Left out: every status but OK.',
  128,
  matching(
    /^(1[0-6]|[0-9])(-(1[0-6]|[0-9]))?(,(1[0-6]|[0-9])(-(1[0-6]|[0-9]))?)*$/,
    'write the numbers of gRPC statuses, 0 to 16, and ranges of them between commas, such as "1-4,14"',
  ),
  { holds: areRangesAscending, message: 'a range runs upwards, such as 1-4' },
);

const retry = object('How to try again.', {
  policy: oneOf('Whether all pauses are the same, or each is longer than the one before.', [
    'constant',
    'exponential',
  ]).default('constant'),
  duration: duration('The pause with the policy constant.').default('5s'),
  maxInterval: duration('The longest pause with the policy exponential.').default('60s'),
  maxRetries: integer(
    'How often to try again; -1: until the call ends otherwise. The retry budget holds all the same.',
    -1,
    1000,
  ).default(-1),
  jitter: oneOf(
    'How pauses are spread: full draws each between nothing and its length. Left out: full with exponential, none with constant.',
    ['full', 'none'],
  ).optional(),
  matching: object('Which answers are tried again.', {
    httpStatusCodes: httpStatusCodes.optional(),
    gRPCStatusCodes: grpcStatusCodes.optional(),
  }).optional(),
});

const trip = text(
  `When the breaker opens, as a CEL expression over ${TRIP_WORDS.join(', ')}.`,
  256,
  matching(
    /^([^A-Za-z_]|\b(requests|(total|consecutive)(Successes|Failures)|double|int|true|false)\b)+$/,
    `write a CEL expression over ${TRIP_WORDS.join(', ')}, such as consecutiveFailures > 5`,
  ),
  {
    holds: (written) => parseTrip(written).ok,
    message:
      'nobody can work that out; compare numbers, with double() around whole ones that meet decimals, as in double(totalFailures) / double(requests) > 0.5',
  },
);

interface Trips {
  readonly trip?: string | undefined;
  readonly consecutiveFailures?: number | undefined;
  readonly failureRatio?: object | undefined;
}

const ONE_TRIP: Rule<Trips> = {
  cel: '!has(self.trip) || !(has(self.consecutiveFailures) || has(self.failureRatio))',
  holds: ({ trip, consecutiveFailures, failureRatio }) =>
    trip === undefined || (consecutiveFailures === undefined && failureRatio === undefined),
  message: 'write trip, or consecutiveFailures and failureRatio, but not both',
};

const circuitBreaker = ruled(
  object('When to stop calling for a while. Left without a condition, it opens after more than 5 failures in a row.', {
    maxRequests: integer('How many calls probe at once while it is half-open.', 1, 1000).default(1),
    interval: durationOrZero('How often the counts of a closed breaker begin anew; 0s: never.').default('0s'),
    timeout: duration('How long it stays open before it probes.').default('60s'),
    trip: trip.optional(),
    consecutiveFailures: integer('It opens after so many failures in a row.', 1, 1000).optional(),
    failureRatio: object('It opens when too large a share of the calls fails.', {
      percent: integer('The share of failures at which it opens.', 1, 100),
      window: duration('How far back calls are counted.').default('10s'),
      minRequests: integer('With fewer calls than that in the window it stays closed.', 1, 100_000).default(20),
    }).optional(),
  }),
  ONE_TRIP,
);

export const policies = object('Policies by name, for targets to refer to.', {
  timeouts: dictionary('Amounts of time, by name.', duration('An amount of time, such as 5s.'), NAMES_MAX).default({}),
  retries: dictionary('Ways to try again, by name.', retry, NAMES_MAX).default({}),
  circuitBreakers: dictionary('Circuit breakers, by name.', circuitBreaker, NAMES_MAX).default({}),
});

function areRangesAscending(codes: string): boolean {
  return codes.split(',').every((part) => {
    const [from = '', to = from] = part.split('-');
    return Number(from) <= Number(to);
  });
}
