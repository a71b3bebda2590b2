// What a sidecar holds to of a NamespacePolicy, out of what the API server has stored: see policy/access/read-policy.ts, which
// does the same for AccessPolicies.
import type { NamespacePolicySpec } from '../../api/resources/namespace-policy.ts';
import { closedRecord, optional, parsedBy, type Readers, readRecord } from '../../kit/record.ts';
import { err, type Result } from '../../kit/result.ts';
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

/** An empty list says something: nobody. */
const FIELDS: Readers<NamespaceAccess> = {
  callableFrom: optional(
    items(
      closedRecord<CallerNamespace>({
        namespace: PATTERN,
        app: optional(PATTERN),
        trustDomain: optional(TRUST_DOMAIN),
      }),
      0,
    ),
  ),
  mayCall: optional(items(closedRecord<Callee>({ namespace: PATTERN, app: optional(PATTERN) }), 0)),
  defaultAccess: optional(parsedBy(parseOneOf(['allow', 'deny']))),
};
