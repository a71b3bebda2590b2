// What resource files make of a sidecar on a laptop, for as long as it runs: whom it may call outside, who may call whom, and how calls survive what goes wrong.
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
): Pick<SidecarConfig, 'outside' | 'access' | 'resiliencies' | 'notices'> {
  const { appId, namespace, trustDomain } = config;
  const own: Identity = { app: appId, namespace, trustDomain };
  tellOthers(current.current(), own, log);
  current.changed((resources) => tellOthers(resources, own, log));
  const endpoints = derived(current, (resources) => endpointsFor(appId, resources.endpoints));
  return {
    outside: outsideOfLaptop(outside, endpoints, host),
    access: derived(current, (resources) => accessOf(resources, own)),
    resiliencies: derived(current, ({ resiliencies }) => resiliencies),
    notices: () => {
      const words = problem.current();
      return words === undefined ? {} : { resourcesProblem: words };
    },
  };
}

/** What is in the files and does nothing here, as whoever has written it may not know. */
function tellOthers({ endpoints, policies, resiliencies }: LoadedResources, own: Identity, log: Log): void {
  const usable = endpointsFor(own.app, endpoints);
  for (const { endpoint, scopes } of endpoints)
    if (!usable.includes(endpoint))
      log.info('an HTTPEndpoint is for other apps alone', { endpoint: endpoint.name, scopes: scopes?.join(',') });
  for (const { namespace, name, spec } of resiliencies)
    if (namespace !== own.namespace || spec.scopes?.includes(own.app) === false)
      log.info('a Resiliency is for other apps alone', {
        resiliency: `${namespace}/${name}`,
        scopes: spec.scopes?.join(','),
      });
  for (const policy of policies)
    if (!isAbout(policy, own))
      log.info('an AccessPolicy is for other apps alone', {
        policy: policyName(policy),
        apps: policy.spec.apps?.join(','),
      });
}
