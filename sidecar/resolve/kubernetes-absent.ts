// The faults of a name that leads nowhere in a cluster, in words that say what to do next. absent.ts has those of a laptop.
import { type Fault, fault } from '../../api/fault.ts';
import type { Target } from '../../api/ids.ts';
import { APP_ID_KEY, SIDECAR_CONTAINER } from '../../api/pod.ts';

/** The control plane says that nothing claims the name. */
export function unclaimedApp(target: Target): Fault {
  const { app, namespace } = target;
  return fault(
    'unknown-app',
    `no app "${app}" is known in namespace "${namespace}" of this cluster: no workload and no pod there has the ` +
      `annotation ${APP_ID_KEY}: ${app}. Check the name, and write app.namespace for an app of another namespace; ` +
      `"kubectl get pods -A -l ${APP_ID_KEY}" lists the apps that run`,
  );
}

/** The control plane says that the name is claimed, and that no pod can take calls. */
export function unreadyApp(target: Target, pods: number): Fault {
  const have =
    pods === 0 ? 'it has no pod' : pods === 1 ? 'its one pod is not ready' : `none of its ${pods} pods is ready`;
  return fault(
    'no-endpoint',
    `${described(target)} cannot take calls: ${have}; nothing was sent. ${seePods(target)}, and the container ` +
      `${SIDECAR_CONTAINER} in each says what it waits for`,
  );
}

/** DNS says that there is nothing, which it says of unknown apps as well. */
export function absentFromDns(target: Target, why: string | undefined): Fault {
  return fault(
    'no-endpoint',
    `${described(target)} has no ready pod that DNS knows of; nothing was sent. Whether there is such an app at all, ` +
      `the control plane would know, and it cannot be asked at the moment. Try again soon; ${seePods(target)}`,
    why,
  );
}

/** Nobody could be asked. `reason` may hold addresses, and is for the log. */
export function notLookedUp(target: Target, reason: string): Fault {
  return fault(
    'no-endpoint',
    `${described(target)} could not be looked up: DNS does not answer, and the control plane cannot be asked either; ` +
      'nothing was sent. Try again soon, and if it stays so, see whether the DNS of the cluster works',
    reason,
  );
}

function described({ app, namespace }: Target): string {
  return `the app "${app}" in namespace "${namespace}"`;
}

function seePods({ app, namespace }: Target): string {
  return `"kubectl get pods -n ${namespace} -l ${APP_ID_KEY}=${app}" shows its pods`;
}
