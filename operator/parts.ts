// What the operator is made of and how it is joined: stores to claims, claims to reconcilers. Nothing listens here.
import { parseAppId } from '../api/ids.ts';
import { CONTROL_PLANE_PORTS, GROUP, OPERATOR, PATHS, SENTRY, TRUST_BUNDLE } from '../api/pod.ts';
import { type IdentitySource, startIdentity } from '../identity/source.ts';
import type { Random } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { must } from '../kit/result.ts';
import { ACCESS_POLICIES, HTTP_ENDPOINTS, NAMESPACE_POLICIES, RESILIENCIES } from '../kube/custom.ts';
import { type EventRecorder, eventRecorder } from '../kube/events.ts';
import type { Kube } from '../kube/kube.ts';
import { type Kind, type KubernetesObject, NETWORK_POLICIES, PODS, SERVICES } from '../kube/types.ts';
import { WORKLOAD_KINDS } from '../kube/workload.ts';
import { HeardAudits } from './audit/heard.ts';
import { auditReconciler } from './audit/keeper.ts';
import { type Claims, followClaims } from './claims.ts';
import type { OperatorConfig } from './config.ts';
import { openStores } from './open-stores.ts';
import { networkPoliciesReconciler } from './reconcile/network-policies.ts';
import type { Reconciler, Report } from './reconcile/reconciler.ts';
import { resiliencyStatuses } from './reconcile/resiliency-statuses.ts';
import { servicesReconciler } from './reconcile/services.ts';
import { statusReconciler } from './reconcile/statuses.ts';
import { anchorsIn } from './reconcile/trust-bundle.ts';
import { type EnsureTrustBundle, ensureTrustBundle, trustBundlesReconciler } from './reconcile/trust-bundles.ts';
import { judgeAccessPolicy, judgeHttpEndpoint, judgeNamespacePolicy } from './reconcile/verdicts.ts';
import type { Stores } from './stores.ts';

export interface OperatorDeps {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface OperatorParts {
  readonly stores: Stores;
  readonly claims: Claims;
  readonly identity: IdentitySource;
  readonly events: EventRecorder;
  /** What sidecars tell of policies in audit mode. */
  readonly audits: HeardAudits;
  readonly reconcilers: readonly Reconciler[];
  readonly ensureTrustBundle: EnsureTrustBundle;
  /** PEM; undefined while the sentry has published none. */
  readonly trustAnchors: () => string | undefined;
}

export function joinParts(config: OperatorConfig, deps: OperatorDeps): OperatorParts {
  const { namespace: ownNamespace } = config;
  const stores = openStores(deps.kube, deps);
  const claims = followClaims(stores);
  const events = eventRecorder(deps.kube, { controller: `${GROUP}/operator`, instance: config.replica }, deps);
  const report = reportOn(events);
  const bundles = { kube: deps.kube, stores, ownNamespace };
  const trustAnchors = () => anchorsIn(stores.trustBundles.get(`${ownNamespace}/${TRUST_BUNDLE}`));
  return {
    stores,
    claims,
    events,
    audits: new HeardAudits(stores.accessPolicies, deps.clock),
    identity: ownIdentity(config, trustAnchors, deps),
    reconcilers: [
      servicesReconciler({ ...deps, stores, claims, report }),
      networkPoliciesReconciler({ ...deps, stores, claims, report }),
      trustBundlesReconciler(bundles),
      ...statusReconcilers(stores, { ...deps, report }),
      auditReconciler({ ...deps, policies: stores.accessPolicies }),
    ],
    ensureTrustBundle: ensureTrustBundle(bundles),
    trustAnchors,
  };
}

/** The sentry is trusted by what it publishes, which is watched here: a mounted ConfigMap would come up to a minute later. */
function ownIdentity(
  { namespace, trustDomain, clusterDomain }: OperatorConfig,
  trustAnchors: () => string | undefined,
  deps: OperatorDeps,
): IdentitySource {
  return startIdentity({
    ...deps,
    endpoint: {
      kind: 'tls',
      host: `${SENTRY}.${namespace}.svc.${clusterDomain}`,
      port: CONTROL_PLANE_PORTS.sentry,
      trustAnchors: {
        from: `the ConfigMap ${namespace}/${TRUST_BUNDLE} of the sentry`,
        read: trustAnchors,
      },
      tokenFile: PATHS.token,
      tokenKind: 'kubernetes',
      sentryNamespace: namespace,
    },
    appId: must(parseAppId(OPERATOR)),
    namespace,
    trustDomain,
  });
}

function statusReconcilers(stores: Stores, common: OperatorDeps & { readonly report: Report }): readonly Reconciler[] {
  const { namespaces, accessPolicies, resiliencies, httpEndpoints, namespacePolicies } = stores;
  return [
    statusReconciler({ ...common, kind: ACCESS_POLICIES, store: accessPolicies, judge: judgeAccessPolicy }),
    resiliencyStatuses({ ...common, store: resiliencies }),
    statusReconciler({ ...common, kind: HTTP_ENDPOINTS, store: httpEndpoints, judge: judgeHttpEndpoint }),
    statusReconciler({
      ...common,
      kind: NAMESPACE_POLICIES,
      store: namespacePolicies,
      judge: (policy) => judgeNamespacePolicy(policy, (name) => namespaces.get(name) !== undefined),
      // A policy has the name of its namespace, which comes or goes.
      followVerdicts: (look) =>
        namespaces.changed((name, now, before) => {
          const isTurn = (now === undefined) !== (before === undefined);
          if (isTurn && namespacePolicies.get(name) !== undefined) look(name);
        }),
    }),
  ];
}

/** Every kind that something is said about. */
const REPORTED_KINDS: readonly Kind<KubernetesObject>[] = [
  ...[SERVICES, NETWORK_POLICIES, PODS, ...WORKLOAD_KINDS],
  ...[ACCESS_POLICIES, RESILIENCIES, HTTP_ENDPOINTS, NAMESPACE_POLICIES],
];

function reportOn(events: EventRecorder): Report {
  return (regarding, { reason, action, note }) => {
    const kind = REPORTED_KINDS.find((known) => known.kind === regarding.kind);
    if (kind !== undefined) events.record({ kind, regarding, type: 'Warning', reason, action, note });
  };
}
