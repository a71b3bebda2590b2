// What a sidecar holds to of a NamespacePolicy, out of what the API server has stored: see policy/access/read-policy.ts, which
// does the same for AccessPolicies.
import type { NamespacePolicySpec } from '../../api/resources/namespace-policy.ts';
import { closedRecord, optional, parsedBy, type Reader, type Readers, readRecord } from '../../kit/record.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { parseOneOf } from '../../kit/values.ts';
import { items, PATTERN, TRUST_DOMAIN } from '../fields.ts';

export type NamespaceAccess = Pick<NamespacePolicySpec, 'callableFrom' | 'mayCall' | 'defaultAccess'>;

type CallerNamespace = NonNullable<NamespacePolicySpec['callableFrom']>[number];
type Callee = NonNullable<NamespacePolicySpec['mayCall']>[number];

/** What else stands in the spec is not about access. */
export function readNamespaceAccess(spec: unknown): Result<NamespaceAccess> {
  const read = readRecord(FIELDS, spec);
  return read.ok ? read : err(read.error.join('; '));
}

/** Here an empty list says something: nobody. */
function list<T>(read: Reader<T>): Reader<T[]> {
  return (value) => (Array.isArray(value) && value.length === 0 ? ok([]) : items(read)(value));
}

const FIELDS: Readers<NamespaceAccess> = {
  callableFrom: optional(
    list(
      closedRecord<CallerNamespace>({
        namespace: PATTERN,
        app: optional(PATTERN),
        trustDomain: optional(TRUST_DOMAIN),
      }),
    ),
  ),
  mayCall: optional(list(closedRecord<Callee>({ namespace: PATTERN, app: optional(PATTERN) }))),
  defaultAccess: optional(parsedBy(parseOneOf(['allow', 'deny']))),
};
