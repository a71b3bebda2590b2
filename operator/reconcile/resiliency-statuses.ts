// The status of Resiliencies, of which one may be in the way of another of its namespace.
import type { Resiliency } from '../../api/resources/resiliency.ts';
import { RESILIENCIES } from '../../kube/custom.ts';
import { keyOf } from '../../kube/types.ts';
import { SettledResiliencies } from '../settled.ts';
import type { Reconciler } from './reconciler.ts';
import { type StatusOptions, statusReconciler } from './statuses.ts';
import { judgeResiliency } from './verdicts.ts';

export type ResiliencyStatusOptions = Pick<StatusOptions<Resiliency['spec']>, 'store' | 'kube' | 'report' | 'clock'>;

export function resiliencyStatuses(options: ResiliencyStatusOptions): Reconciler {
  const { store } = options;
  const settled = new SettledResiliencies(store);
  return statusReconciler({
    ...options,
    kind: RESILIENCIES,
    judge: (object) => judgeResiliency(object, settled.conflictOf(object)),
    // When one comes, goes or says something else, others may be in effect that were not, or the other way round.
    followVerdicts: (look) =>
      store.changed((_key, now, before) => {
        if (now !== undefined && before !== undefined && saysTheSame(now, before)) return;
        const namespace = (now ?? before)?.metadata.namespace;
        for (const other of store.all()) if (other.metadata.namespace === namespace) look(keyOf(other));
      }),
  });
}

/** Its status has changed at most, which concerns nobody else. */
function saysTheSame(now: Resiliency, before: Resiliency): boolean {
  const [one, other] = [now.metadata, before.metadata];
  return one.generation === other.generation && one.uid === other.uid;
}
