// AccessPolicy: who may call an app, and what. It is enforced in the sidecar of the app that is called.
import type * as z from 'zod';
import type { Result } from '../../kit/result.ts';
import { appId, caller, EITHER_HTTP_OR_GRPC, name, operationFields } from './fields.ts';
import type { Resource } from './object.ts';
import { readSpec } from './read-spec.ts';
import { list, named, object, oneOf, ruled, set } from './schema.ts';
import type { StatusWithAudit } from './status.ts';

const rule = ruled(
  object('One rule.', {
    name: name('What the rule is called in decisions and logs. No two rules of a policy share a name.'),
    action: oneOf('What becomes of a call that the rule matches. A rule that denies wins over any that allows.', [
      'allow',
      'deny',
    ]).default('allow'),
    from: list('Callers that the rule is about: any of these. Left out: every caller.', caller, {
      minItems: 1,
      maxItems: 32,
    }).optional(),
    to: list(
      'Operations that the rule is about: any of these. Left out: every operation.',
      ruled(object('Operations of HTTP, or of gRPC.', operationFields), EITHER_HTTP_OR_GRPC),
      { minItems: 1, maxItems: 8 },
    ).optional(),
  }),
  {
    cel: 'has(self.from) || has(self.to)',
    holds: ({ from, to }) => from !== undefined || to !== undefined,
    message: 'say whom the rule is about (from), what (to), or both; for everybody and everything set default instead',
  },
);

export const accessPolicySpec = object('Who may call which apps of this namespace, and what.', {
  apps: set('Apps of this namespace that the policy protects. Left out: all of them.', appId('An app id.'), {
    minItems: 1,
    maxItems: 64,
  }).optional(),
  mode: oneOf('Whether the policy is enforced, or only logs and counts what it would deny.', [
    'enforce',
    'audit',
  ]).default('enforce'),
  default: oneOf(
    'What becomes of a call that no rule of any policy of the app matches. One policy that says deny is enough to deny.',
    ['allow', 'deny'],
  ).default('deny'),
  encodedSlash: oneOf(
    'How a path with %2F or %5C is judged: in both readings, both of which must pass, or literally, as part of a segment.',
    ['both', 'literal'],
  ).default('both'),
  rules: named('The rules. Their order means nothing.', 'name', rule, 100).default([]),
});

export type AccessPolicySpec = z.output<typeof accessPolicySpec>;
export type AccessPolicy = Resource<AccessPolicySpec, StatusWithAudit>;

/** The spec with its defaults, or everything that is wrong with it. */
export function readAccessPolicy(spec: unknown): Result<AccessPolicySpec, readonly string[]> {
  return readSpec(accessPolicySpec, spec);
}
