// Resiliency: how calls survive what goes wrong. Targets hold for calls from the policy's namespace; limits for calls to it.
import type * as z from 'zod';
import type { Result } from '../../kit/result.ts';
import { appId, caller, duration } from './fields.ts';
import type { Resource } from './object.ts';
import { readSpec } from './read-spec.ts';
import { policies } from './resiliency-policies.ts';
import { limits, targets } from './resiliency-targets.ts';
import { integer, list, object, oneOf, type Rule, ruled, set } from './schema.ts';

const rateLimit = object('How often callers may call. Each caller, by its identity, is counted apart.', {
  from: list('Callers that it is about: any of these. Left out: every caller.', caller, {
    minItems: 1,
    maxItems: 32,
  }).optional(),
  requests: integer('How many calls a caller may make in the time that per says.', 1, 1_000_000),
  per: duration('The time in which calls are counted.').default('1s'),
  burst: integer('How many of them may come at once. Left out: all.', 1, 1_000_000).optional(),
});

const inbound = object('What holds for calls to the apps of this namespace, whoever calls.', {
  limits: limits.optional(),
  shedding: oneOf(
    'Whether calls are refused early when an app slows down: gradient compares latency with what it was without load.',
    ['none', 'gradient'],
  ).default('none'),
  rateLimits: list('How often callers may call; the first that fits a caller counts.', rateLimit, {
    maxItems: 64,
  }).optional(),
});

/** Fields of targets and routes that name a policy, and where that policy is. */
const REFERENCES = [
  ['timeout', 'timeouts'],
  ['totalTimeout', 'timeouts'],
  ['retry', 'retries'],
  ['circuitBreaker', 'circuitBreakers'],
] as const;
type Reference = (typeof REFERENCES)[number];
type Referring = { readonly [Field in Reference[0]]?: string | undefined };

export const resiliencySpec = ruled(
  object('How calls survive what goes wrong.', {
    scopes: set('Apps of this namespace whose sidecars go by it. Left out: all of them.', appId('An app id.'), {
      minItems: 1,
      maxItems: 64,
    }).optional(),
    policies: policies.prefault({}),
    targets: targets.prefault({}),
    inbound: inbound.optional(),
  }),
  ...REFERENCES.map(isKnown),
);

export type ResiliencySpec = z.output<typeof resiliencySpec>;
export type Resiliency = Resource<ResiliencySpec>;

/** The spec with its defaults, or everything that is wrong with it. */
export function readResiliency(spec: unknown): Result<ResiliencySpec, readonly string[]> {
  return readSpec(resiliencySpec, spec);
}

interface Referrers {
  readonly policies: { readonly [Kind in Reference[1]]: object };
  readonly targets: {
    readonly apps: Readonly<Record<string, Referring & { readonly routes?: readonly Referring[] | undefined }>>;
  };
}

/** A name that stands for nothing would leave calls without the policy, and nobody would notice. */
function isKnown([field, kind]: Reference): Rule<Referrers> {
  const known = (it: string) => `(!has(${it}.${field}) || ${it}.${field} in self.policies.${kind})`;
  const target = 'self.targets.apps[app]';
  const fine = `${known(target)} && (!has(${target}.routes) || ${target}.routes.all(route, ${known('route')}))`;
  const strangers = ({ policies, targets }: Referrers) =>
    Object.entries(targets.apps)
      .filter(([, app]) => [app, ...(app.routes ?? [])].some((it) => !isNamed(it[field], policies[kind])))
      .map(([name]) => name);
  return {
    cel: `self.targets.apps.all(app, ${fine})`,
    holds: (spec) => strangers(spec).length === 0,
    about: {
      // All of them would cost too much.
      cel: `'targets.apps[' + self.targets.apps.filter(app, !(${fine}))[0] + ']'`,
      of: (spec) => `targets.apps[${strangers(spec)[0] ?? ''}]`,
    },
    message: `${field} names what policies.${kind} does not have; add it there, or correct the name`,
  };
}

function isNamed(name: string | undefined, policies: object): boolean {
  return name === undefined || Object.hasOwn(policies, name);
}
