// An AccessPolicy as the API server keeps it and the feed brings it. One that cannot be read is a value, too, as it closes what it
// was to protect.
import type { AccessPolicySpec } from '../../api/resources/access-policy.ts';
import { optional, parsedBy, type Reader } from '../../kit/record.ts';
import { parseOneOf } from '../../kit/values.ts';
import { parseTemplate } from '../match/template.ts';
import { listOf, matching, only, PATTERN, provided, TRUST_DOMAIN, withDefault } from '../stored.ts';
import type { UnreadablePolicy } from './compile.ts';
import type { PlacedPolicy } from './rule.ts';

export interface StoredPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly spec: unknown;
}

export function readStoredPolicy({ namespace, name, spec }: StoredPolicy): PlacedPolicy | UnreadablePolicy {
  const read = SPEC(spec);
  if (read.ok) return { namespace, name, spec: read.value };
  return { namespace, name, mode: isAudit(spec) ? 'audit' : 'enforce', reason: read.error };
}

function isAudit(spec: unknown): boolean {
  return typeof spec === 'object' && spec !== null && 'mode' in spec && spec.mode === 'audit';
}

type SpecRule = AccessPolicySpec['rules'][number];
type SpecCaller = NonNullable<SpecRule['from']>[number];
type SpecOperation = NonNullable<SpecRule['to']>[number];

const outcome = parsedBy(parseOneOf(['allow', 'deny']));

const caller: Reader<SpecCaller> = provided(
  only<SpecCaller>({
    app: optional(PATTERN),
    namespace: optional(PATTERN),
    trustDomain: optional(TRUST_DOMAIN),
  }),
  ({ app, namespace, trustDomain }) => namespace !== undefined || (app !== undefined && trustDomain === undefined),
  'it names no caller',
);

const template: Reader<string> = parsedBy((text) => {
  const read = parseTemplate(text);
  return read.ok ? { ok: true, value: text } : read;
});

const operation: Reader<SpecOperation> = provided(
  only<SpecOperation>({
    methods: optional(listOf(matching(/^[A-Z][-A-Z]*$/))),
    paths: optional(listOf(template)),
    grpc: optional(listOf(matching(/^[A-Za-z_*][\w.*]*\/[A-Za-z_*][\w*]*$/))),
  }),
  ({ methods, paths, grpc }) => (grpc === undefined) !== (methods === undefined && paths === undefined),
  'it is about neither HTTP nor gRPC, or about both',
);

const rule: Reader<SpecRule> = provided(
  only<SpecRule>({
    name: matching(/^[-a-z0-9]+$/),
    action: withDefault(outcome, 'allow'),
    from: optional(listOf(caller)),
    to: optional(listOf(operation)),
  }),
  ({ from, to }) => from !== undefined || to !== undefined,
  'it is about nobody and nothing',
);

const SPEC: Reader<AccessPolicySpec> = only<AccessPolicySpec>({
  apps: optional(listOf(matching(/^[-a-z0-9]+$/))),
  mode: withDefault(parsedBy(parseOneOf(['enforce', 'audit'])), 'enforce'),
  default: withDefault(outcome, 'deny'),
  encodedSlash: withDefault(parsedBy(parseOneOf(['both', 'literal'])), 'both'),
  rules: withDefault(listOf(rule, 0), []),
});
