// What a sidecar in a pod may call outside of the mesh, as the operator's snapshot says it: the endpoints of the namespace that its
// app may use, and the hosts that the NamespacePolicy allows. Without a snapshot no call is judged (authorize/grounds.ts).
import { type ExternalPattern, parseExternalPattern } from '../../api/external-pattern.ts';
import { type HttpEndpoint, readHttpEndpoint } from '../../api/http-endpoint.ts';
import type { Log } from '../../kit/log.ts';
import { type Snapshot, snapshot } from '../../kit/snapshot.ts';
import type { ConfigResource, FeedConfig } from '../feed/feed.ts';
import type { OutsideRules } from './outside.ts';

const ENDPOINT = 'HTTPEndpoint';
const NAMESPACE_POLICY = 'NamespacePolicy';
const ADVICE =
  'Make an HTTPEndpoint in the namespace for the service, or have the platform team list the host under externalHosts of its NamespacePolicy; an address of the pod itself, its link or a metadata service has to be listed itself.';

/** Changes with each snapshot of the operator's. What of it cannot be read opens nothing, and is logged. */
export function rulesFromFeed(config: Snapshot<FeedConfig | undefined>, log: Log): Snapshot<OutsideRules> {
  const rules = snapshot(readRules(config.current()?.resources ?? [], log));
  config.changed((next) => rules.set(readRules(next?.resources ?? [], log)));
  return rules;
}

function readRules(resources: readonly ConfigResource[], log: Log): OutsideRules {
  const endpoints = new Map<string, HttpEndpoint>();
  const allowed: ExternalPattern[] = [];
  for (const { kind, name, spec } of resources) {
    if (kind === NAMESPACE_POLICY) allowed.push(...hostsOf(spec, log));
    if (kind !== ENDPOINT) continue;
    const endpoint = readHttpEndpoint(name, spec);
    if (endpoint.ok) endpoints.set(name, endpoint.value);
    else log.warn('an HTTPEndpoint cannot be used', { endpoint: name, reason: endpoint.error.join('; ') });
  }
  return { endpoints, allowed, arePublicHostsAllowed: false, advice: ADVICE };
}

function hostsOf(spec: unknown, log: Log): readonly ExternalPattern[] {
  const hosts = typeof spec === 'object' && spec !== null && 'externalHosts' in spec ? spec.externalHosts : [];
  if (!Array.isArray(hosts)) return [];
  return hosts.map(String).flatMap((host) => {
    const pattern = parseExternalPattern(host);
    if (pattern.ok) return [pattern.value];
    log.warn('a host of externalHosts cannot be used', { host, reason: pattern.error });
    return [];
  });
}
