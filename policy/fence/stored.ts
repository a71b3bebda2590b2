// What a NamespacePolicy says of access, as the feed brings it. One that cannot be read leaves the fence closed.
import type { NamespacePolicySpec } from '../../api/resources/namespace-policy.ts';
import { optional, parsedBy, type Readers, readRecord } from '../../kit/record.ts';
import { parseOneOf } from '../../kit/values.ts';
import { listOf, only, PATTERN, TRUST_DOMAIN } from '../stored.ts';

export type StoredFence = Pick<NamespacePolicySpec, 'callableFrom' | 'mayCall' | 'defaultAccess'>;

type CallerNamespace = NonNullable<StoredFence['callableFrom']>[number];
type Callee = NonNullable<StoredFence['mayCall']>[number];

export interface ReadFence {
  readonly fence: StoredFence;
  /** Why it cannot be read, and is closed. */
  readonly mistake: string | undefined;
}

const CLOSED: StoredFence = { callableFrom: [], mayCall: [], defaultAccess: 'deny' };

/** What else stands there is no concern of access, so that an unknown field is none. */
export function readStoredFence(spec: unknown): ReadFence {
  const read = readRecord(READERS, spec);
  return read.ok ? { fence: read.value, mistake: undefined } : { fence: CLOSED, mistake: read.error.join('; ') };
}

const READERS: Readers<StoredFence> = {
  callableFrom: optional(
    listOf(
      only<CallerNamespace>({ namespace: PATTERN, app: optional(PATTERN), trustDomain: optional(TRUST_DOMAIN) }),
      0,
    ),
  ),
  mayCall: optional(listOf(only<Callee>({ namespace: PATTERN, app: optional(PATTERN) }), 0)),
  defaultAccess: optional(parsedBy(parseOneOf(['allow', 'deny']))),
};
