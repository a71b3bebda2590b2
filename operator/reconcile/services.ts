// Keeps the headless Service of each app: gathers what is known of it, and does what service.ts says. A Service of somebody
// else's with the name is left alone, and said to be in the way.
import type { V1Service } from '@kubernetes/client-node';
import { serviceName } from '../../api/pod.ts';
import type { Clock } from '../../kit/clock.ts';
import { ok } from '../../kit/result.ts';
import type { Answered } from '../../kube/kube.ts';
import { keyOf, SERVICES } from '../../kube/types.ts';
import { type Claimant, type Claims, claimKey, parseClaimKey } from '../claims.ts';
import type { Stores } from '../stores.ts';
import { BLOCKED_AGAIN_MS, createOwn, type OwnObjectDeps, replaceOwn } from './own-objects.ts';
import { outcome, type Reconciled, type Reconciler, type Warning } from './reconciler.ts';
import { type ServiceFacts, type ServiceStep, serviceStep } from './service.ts';

export interface ServicesOptions extends OwnObjectDeps {
  readonly stores: Pick<Stores, 'namespaces' | 'services'>;
  readonly claims: Claims;
  readonly clock: Clock;
}

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
      return await createOwn(SERVICES, step.service, { claimants, warning: nameTaken }, options);
    case 'replace':
      return outcome(await replaceOwn(SERVICES, step.service, kube), 'applied', step.againInMs);
    case 'delete':
      return outcome(await kube.delete(SERVICES, step.service), 'deleted');
  }
}

function nameTaken(found: V1Service): Warning {
  const note =
    `The Service ${keyOf(found)} is not Invoke's, so other apps cannot find this one by the name that Invoke would give it. ` +
    `Rename or delete that Service, or choose another app id; Invoke looks again every ${BLOCKED_AGAIN_MS / 1000} seconds.`;
  return { reason: 'ServiceNameTaken', action: 'CreateService', note };
}
