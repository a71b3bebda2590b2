// What `invokectl policy audit` goes by: the metrics of each sidecar. That one cannot be read is said, and the others are read all the same.
import type { Result } from '../../kit/result.ts';
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

/** Sidecars that are asked at once. */
const AT_ONCE = 16;

/** Asks each of them. */
export async function inTurns<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<readonly U[]> {
  const done: U[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    done.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  }
  return done;
}

export function outcomes(read: readonly Result<unknown>[]): Pick<AuditFacts, 'sidecars' | 'problems'> {
  const problems = read.flatMap((one) => (one.ok ? [] : [one.error]));
  return { sidecars: read.length - problems.length, problems };
}

export function countsOf(read: readonly Result<readonly AuditCount[]>[]): readonly AuditCount[] {
  return read.flatMap((one) => (one.ok ? one.value : []));
}
