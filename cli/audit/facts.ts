// What `invokectl policy audit` goes by: the metrics of each sidecar.
import type { AuditCount } from './counts.ts';

export interface AuditFacts {
  /** Of a cluster: its policies in audit mode, and when the last call was seen that each would have denied. */
  readonly policies: readonly AuditedPolicy[] | undefined;
  /** How many sidecars could be read. */
  readonly sidecars: number;
  readonly counts: readonly AuditCount[];
  /** A sentence for each sidecar that could not be read. */
  readonly problems: readonly string[];
}

export interface AuditedPolicy {
  /** `namespace/policy` */
  readonly name: string;
  readonly lastDeniedTime: string | undefined;
}
