// What resource files make of a sidecar on a laptop, for as long as it runs: whom it may call outside, and who may call whom.
import type { Identity } from '../api/ids.ts';
import type { Log } from '../kit/log.ts';
import { derived } from '../kit/snapshot.ts';
import { policyName } from '../policy/access/rule.ts';
import type { SidecarConfig } from '../sidecar/config.ts';
import type { LoadedResources } from '../sidecar/resources/load.ts';
import { accessOf, isAbout } from '../sidecar/resources/policies.ts';
import type { WatchedResources } from '../sidecar/resources/watch.ts';
import type { SidecarSettings } from './flags.ts';
import type { Host } from './host.ts';
import { endpointsFor, outsideOfLaptop } from './outside.ts';

export function configuredBy(
  { current, problem }: WatchedResources,
  { config, outside }: SidecarSettings,
  host: Pick<Host, 'env'>,
  log: Log,
): Pick<SidecarConfig, 'outside' | 'access' | 'notices'> {
  const { appId, namespace, trustDomain } = config;
  const own: Identity = { app: appId, namespace, trustDomain };
  tellOthers(current.current(), own, log);
  current.changed((resources) => tellOthers(resources, own, log));
  const endpoints = derived(current, (resources) => endpointsFor(appId, resources.endpoints));
  return {
    outside: outsideOfLaptop(outside, endpoints, host),
    access: derived(current, (resources) => accessOf(resources, own)),
    notices: () => {
      const words = problem.current();
      return words === undefined ? {} : { resourcesProblem: words };
    },
  };
}

/** What is in the files and does nothing here, as whoever has written it may not know. */
function tellOthers({ endpoints, policies }: LoadedResources, own: Identity, log: Log): void {
  const usable = endpointsFor(own.app, endpoints);
  for (const { endpoint, scopes } of endpoints)
    if (!usable.includes(endpoint))
      log.info('an HTTPEndpoint is for other apps alone', { endpoint: endpoint.name, scopes: scopes?.join(',') });
  for (const policy of policies)
    if (!isAbout(policy, own))
      log.info('an AccessPolicy is for other apps alone', {
        policy: policyName(policy),
        apps: policy.spec.apps?.join(','),
      });
}
