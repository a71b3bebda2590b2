// An AccessPolicy as a sidecar reads it: out of what the API server has stored.
//
// The library of schemas that describes the resource (api/resources/access-policy.ts) is not in the sidecar's image, so it is
// read here once more. A field that is not known makes the policy unreadable: it may be a condition of a later version, and
// to overlook it would open what it was to close.
import type { Identity } from '../../api/ids.ts';
import type { AccessPolicySpec } from '../../api/resources/access-policy.ts';
import { parseVerb } from '../../api/verb.ts';
import { closedRecord, optional, parsedBy, type Reader } from '../../kit/record.ts';
import { err, type Result } from '../../kit/result.ts';
import { parseOneOf } from '../../kit/values.ts';
import { items, PATTERN, spelled, TRUST_DOMAIN, withDefault } from '../fields.ts';
import type { UnreadablePolicy } from './compile.ts';
import { type PlacedPolicy, readRules } from './rule.ts';

type SpecRule = AccessPolicySpec['rules'][number];
type SpecCaller = NonNullable<SpecRule['from']>[number];
type SpecOperation = NonNullable<SpecRule['to']>[number];

/** A whole spec, with defaults; or why it is none that can be judged by. */
export function readPolicy(
  place: Pick<PlacedPolicy, 'namespace' | 'name'>,
  spec: unknown,
  own: Identity,
): PlacedPolicy | UnreadablePolicy {
  const read = SPEC(spec);
  if (!read.ok) return unreadable(place, spec, read.error);
  const policy = { ...place, spec: read.value };
  const compiled = readRules(policy, own);
  return compiled.ok ? policy : unreadable(place, spec, compiled.error);
}

function unreadable(
  { namespace, name }: Pick<PlacedPolicy, 'namespace' | 'name'>,
  spec: unknown,
  reason: string,
): UnreadablePolicy {
  const isAudit = typeof spec === 'object' && spec !== null && 'mode' in spec && spec.mode === 'audit';
  return { namespace, name, mode: isAudit ? 'audit' : 'enforce', reason };
}

const NAME = spelled(/^[-a-z0-9]{1,63}$/, 'a name');
const METHOD = parsedBy(parseVerb);
const GRPC = spelled(/^[\w.*]+\/[\w*]+$/, 'package.Service/Method');
const PATH = spelled(/^\//, 'a path');
const ACTION = parsedBy(parseOneOf(['allow', 'deny']));

const CALLER: Reader<SpecCaller> = such(
  closedRecord<SpecCaller>({
    app: optional(PATTERN),
    namespace: optional(PATTERN),
    trustDomain: optional(TRUST_DOMAIN),
  }),
  ({ app, namespace, trustDomain }) => namespace !== undefined || (app !== undefined && trustDomain === undefined),
  'a caller has no name, or a trust domain without a namespace in it',
);

const OPERATION: Reader<SpecOperation> = such(
  closedRecord<SpecOperation>({
    methods: optional(items(METHOD)),
    paths: optional(items(PATH)),
    grpc: optional(items(GRPC)),
  }),
  ({ methods, paths, grpc }) => (grpc === undefined) !== (methods === undefined && paths === undefined),
  'an operation has methods, paths or both, or grpc alone',
);

const RULE: Reader<SpecRule> = such(
  closedRecord<SpecRule>({
    name: NAME,
    action: withDefault(ACTION, 'allow'),
    from: optional(items(CALLER)),
    to: optional(items(OPERATION)),
  }),
  ({ from, to }) => from !== undefined || to !== undefined,
  'a rule says neither whom it is about nor what',
);

const SPEC: Reader<AccessPolicySpec> = closedRecord<AccessPolicySpec>({
  apps: optional(items(NAME)),
  mode: withDefault(parsedBy(parseOneOf(['enforce', 'audit'])), 'enforce'),
  default: withDefault(ACTION, 'deny'),
  encodedSlash: withDefault(parsedBy(parseOneOf(['both', 'literal'])), 'both'),
  rules: withDefault(items(RULE, 0), []),
});

function such<T>(read: Reader<T>, holds: (value: T) => boolean, otherwise: string): Reader<T> {
  return (value): Result<T> => {
    const result = read(value);
    return !result.ok || holds(result.value) ? result : err(otherwise);
  };
}
