// Keeps the headless Service of each app: gathers what is known of it, and does what service.ts says. A Service of somebody
// else's with the name is left alone, and said to be in the way.
import type { V1Service } from '@kubernetes/client-node';
import { MANAGED_BY, MANAGED_BY_LABEL, serviceName } from '../../api/pod.ts';
import type { Clock } from '../../kit/clock.ts';
import { ok } from '../../kit/result.ts';
import type { Answered, Kube } from '../../kube/kube.ts';
import { keyOf, SERVICES } from '../../kube/types.ts';
import { type Claimant, type Claims, claimKey, parseClaimKey } from '../claims.ts';
import type { Stores } from '../stores.ts';
import { withOwner } from './owner.ts';
import { outcome, type Reconciled, type Reconciler, type Report } from './reconciler.ts';
import { type ServiceFacts, type ServiceStep, serviceStep } from './service.ts';

export interface ServicesOptions {
  readonly kube: Pick<Kube, 'get' | 'create' | 'patch' | 'delete'>;
  readonly stores: Pick<Stores, 'namespaces' | 'services'>;
  readonly claims: Claims;
  readonly report: Report;
  readonly clock: Clock;
}

/** A Service that is not ours is not watched: whether it has gone is looked up. */
const BLOCKED_AGAIN_MS = 30_000;

export function servicesReconciler(options: ServicesOptions): Reconciler {
  const { stores, claims } = options;
  return {
    name: 'services',
    keys: () => [...new Set([...claims.keys(), ...stores.services.all().flatMap((service) => keyOfService(service))])],
    follow(look) {
      const cancels = [
        claims.changed(look),
        stores.services.changed((_, now, before) => {
          const service = now ?? before;
          if (service !== undefined) keyOfService(service).forEach(look);
        }),
        // A pod may be heard of before its namespace is.
        stores.namespaces.changed((name, _, before) => {
          if (before !== undefined) return;
          const inIt = claims.keys().filter((key) => key.startsWith(`${name}/`));
          inIt.forEach(look);
        }),
      ];
      return () => {
        for (const cancel of cancels) cancel();
      };
    },
    async reconcile(key) {
      const facts = gather(key, options);
      return await carryOut(serviceStep(facts), claims.of(key), options);
    },
  };
}

/** None, for one whose name no app of ours can have. */
function keyOfService(service: V1Service): string[] {
  const { namespace, name } = service.metadata ?? {};
  const key = `${namespace}/${name?.replace(/-invoke$/, '')}`;
  const target = parseClaimKey(key);
  return target !== undefined && name === serviceName(target.app) ? [claimKey(target)] : [];
}

function gather(key: string, { stores, claims, clock }: ServicesOptions): ServiceFacts {
  const target = parseClaimKey(key);
  if (target === undefined) throw new Error(`"${key}" is no key of an app`);
  return {
    target,
    namespace: stores.namespaces.get(target.namespace),
    isClaimed: claims.of(key).length > 0,
    existing: stores.services.get(`${target.namespace}/${serviceName(target.app)}`),
    nowMs: clock.now(),
  };
}

async function carryOut(
  step: ServiceStep,
  claimants: readonly Claimant[],
  options: ServicesOptions,
): Answered<Reconciled> {
  const { kube } = options;
  switch (step.kind) {
    case 'nothing':
      return outcome(ok(undefined), 'nothing', step.againInMs);
    case 'create':
      return await create(step.service, claimants, options);
    case 'replace':
      return outcome(await replace(step.service, kube), 'applied', step.againInMs);
    case 'delete':
      return outcome(await kube.delete(SERVICES, step.service), 'deleted');
  }
}

/** Not by an apply: that would take over what is there. */
async function create(
  wanted: V1Service,
  claimants: readonly Claimant[],
  options: ServicesOptions,
): Answered<Reconciled> {
  const { kube, report } = options;
  const service = await withOwner(kube, wanted);
  if (!service.ok) return service;
  const created = await kube.create(SERVICES, service.value);
  if (created.ok || created.error.kind !== 'already-exists') return outcome(created, 'created');
  const found = await kube.get(SERVICES, wanted.metadata?.name ?? '', wanted.metadata?.namespace);
  // Gone again, or ours and not heard of yet: the next look is worth it.
  if (!found.ok) return found;
  if (found.value.metadata?.labels?.[MANAGED_BY_LABEL] === MANAGED_BY) return created;
  const warning = { reason: 'ServiceNameTaken', action: 'CreateService', note: inTheWay(found.value) };
  for (const about of [found.value, ...reportedOn(claimants)]) report(about, warning);
  return outcome(ok(undefined), 'blocked', BLOCKED_AGAIN_MS);
}

/** All that may be ours of it, at the version that was looked at: a conflict if that is not the newest. */
async function replace(wanted: V1Service, kube: ServicesOptions['kube']): Answered<V1Service> {
  const service = await withOwner(kube, wanted);
  if (!service.ok) return service;
  const { metadata: { name = '', namespace, ...metadata } = {}, spec } = service.value;
  return await kube.patch(SERVICES, name, namespace, [
    { op: 'replace', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    { op: 'add', path: '/metadata/labels', value: metadata.labels },
    { op: 'add', path: '/metadata/annotations', value: metadata.annotations },
    { op: 'add', path: '/metadata/ownerReferences', value: metadata.ownerReferences },
    { op: 'replace', path: '/spec', value: spec },
  ]);
}

/** The workloads; pods only where nothing made them. */
function reportedOn(claimants: readonly Claimant[]): readonly Claimant[] {
  return claimants.filter(({ metadata }) => !metadata?.ownerReferences?.some(({ controller }) => controller));
}

function inTheWay(found: V1Service): string {
  return (
    `The Service ${keyOf(found)} is not Invoke's, so other apps cannot find this one by the name that Invoke would give it. ` +
    `Rename or delete that Service, or choose another app id; Invoke looks again every ${BLOCKED_AGAIN_MS / 1000} seconds.`
  );
}
