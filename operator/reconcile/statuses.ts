// Keeps the status of our resources of one kind: what the operator makes of each, for `kubectl get` and `kubectl describe`.
import type { Resource } from '../../api/resources/object.ts';
import type { Status } from '../../api/resources/status.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { ok } from '../../kit/result.ts';
import type { Kube } from '../../kube/kube.ts';
import type { Store } from '../../kube/store.ts';
import { type Kind, type KubernetesObject, keyOf } from '../../kube/types.ts';
import { acceptedIn, isNewlyRefused, type Verdict, wantedStatus } from './conditions.ts';
import { outcome, type Reconciler, type Report } from './reconciler.ts';

export interface StatusOptions<Spec> {
  readonly kind: Kind<Resource<Spec>>;
  readonly store: Store<Resource<Spec>>;
  readonly judge: (object: Resource<Spec>) => Verdict;
  /** Calls `look` with each key of which the verdict may be another one now, though the object is the same. */
  readonly followVerdicts?: (look: (key: string) => void) => Cancel;
  readonly kube: Pick<Kube, 'apply'>;
  readonly report: Report;
  readonly clock: Clock;
}

interface WithStatus extends KubernetesObject {
  status?: Status;
}

export function statusReconciler<Spec>(options: StatusOptions<Spec>): Reconciler {
  const { kind, store, judge, followVerdicts, kube, report, clock } = options;
  return {
    name: `${kind.plural}-status`,
    keys: () => store.all().map(keyOf),
    follow(look) {
      const cancels = [store.changed((key) => look(key)), followVerdicts?.(look)];
      return () => {
        for (const cancel of cancels) cancel?.();
      };
    },
    async reconcile(key) {
      const object = store.get(key);
      if (object === undefined || object.metadata.deletionTimestamp !== undefined) return ok({ did: 'nothing' });
      const status = wantedStatus(object, judge(object), clock.now());
      if (status === undefined) return ok({ did: 'nothing' });
      const { name, namespace } = object.metadata;
      const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
      const applied = await kube.apply<WithStatus>(kind, { metadata, status }, 'status');
      if (applied.ok && isNewlyRefused(object.status, status)) {
        report(object, { reason: 'NotAccepted', action: 'Check', note: acceptedIn(status)?.message ?? '' });
      }
      return outcome(applied, 'applied');
    },
  };
}
