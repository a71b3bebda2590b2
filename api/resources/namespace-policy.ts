// NamespacePolicy: what the platform team says of a namespace. It belongs to the cluster and is named as its namespace, so that
// nobody who may only write in the namespace can change it.
import type * as z from 'zod';
import type { Result } from '../../kit/result.ts';
import { parseExternalPattern } from '../external-pattern.ts';
import { GROUP } from '../pod.ts';
import { appId, appPattern, namespacePattern, SERVICE_ACCOUNT, trustDomain } from './fields.ts';
import type { Resource } from './object.ts';
import { readSpec } from './read-spec.ts';
import { celText, list, matching, named, object, oneOf, set, text, yesOrNo } from './schema.ts';
import { asAnnotations, sidecar } from './sidecar-defaults.ts';

const identity = object('An app id, and who may claim it.', {
  appId: appId('The app id.'),
  serviceAccounts: set(
    'ServiceAccounts of the namespace whose pods may claim the app id. An empty list: nobody may.',
    text('The name of a ServiceAccount.', 253, SERVICE_ACCOUNT),
    { maxItems: 32 },
  ),
});

const callerNamespace = object('Callers from other namespaces.', {
  namespace: namespacePattern('Namespace, in which * stands for any characters.'),
  app: appPattern('App id, in which * stands for any characters. Left out: every app.').optional(),
  trustDomain: trustDomain("Trust domain, by its whole name. Left out: the installation's own.").optional(),
});

const callee = object('Apps of other namespaces.', {
  namespace: namespacePattern('Namespace, in which * stands for any characters.'),
  app: appPattern('App id, in which * stands for any characters. Left out: every app.').optional(),
});

const externalHost = text('A host, or an address, and a port if it is not the usual one.', 262, {
  cel: `self.matches(${celText('^([*]|([*][.])?[A-Za-z0-9_]([-.A-Za-z0-9_]*[A-Za-z0-9_])?|[[][0-9A-Fa-f:.]+[]])(:[0-9]{1,5})?$')})`,
  holds: (host) => parseExternalPattern(host).ok,
  message: 'write a host, such as api.example.com, *.example.com or 10.0.0.7:8080, without https:// and without a path',
});

const annotation = text(
  `An annotation, with or without ${GROUP}/ before it.`,
  100,
  matching(
    /^(invoke[.]io\/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    `write an annotation of Invoke, such as env or ${GROUP}/env`,
  ),
);

const sampling = text(
  'Share of the calls that begin a trace, as a fraction from "0" to "1". Left out: the installation decides.',
  10,
  matching(/^(0([.][0-9]+)?|1([.]0+)?)$/, 'write a fraction between 0 and 1 as text, such as "0.01"'),
);

export const namespacePolicySpec = object('What holds for one namespace, whatever its own people write in it.', {
  injection: object('Whether pods of the namespace may be meshed.', {
    enabled: yesOrNo('When false, a pod that asks for a sidecar is refused, and not run without one.').default(true),
  }).optional(),
  identities: named(
    'Who may claim which app id. An app id that is not listed is free to whoever may create pods in the namespace.',
    'appId',
    identity,
    256,
  ).optional(),
  allowedAnnotations: set(
    'Annotations on pods that are refused otherwise, because they change what runs or what is trusted.',
    annotation,
    { maxItems: 64 },
  ).optional(),
  callableFrom: list(
    'Other namespaces that may call in; an AccessPolicy can narrow it and never widen it. Left out: all. An empty list: none. Calls within the namespace are not touched.',
    callerNamespace,
    { maxItems: 256 },
  ).optional(),
  mayCall: list(
    'Other namespaces that may be called from here. Left out: all. An empty list: none. Calls within the namespace are not touched.',
    callee,
    { maxItems: 256 },
  ).optional(),
  externalHosts: set(
    "Hosts outside of the mesh that may be called by URL: a host, such as api.example.com or *.example.com, or an address, with a port or with the scheme's own; * is every public host. Left out: none. HTTPEndpoints may be called without it, but for those whose host leads to the pod itself, its link or a metadata service: such an address has to stand here.",
    externalHost,
    { maxItems: 128 },
  ).optional(),
  defaultAccess: oneOf(
    'What becomes of a call to an app that no AccessPolicy protects. Left out: the installation decides.',
    ['allow', 'deny'],
  ).optional(),
  directTraffic: oneOf(
    'Whether the apps may be reached past their sidecars. With deny, a NetworkPolicy for each app admits only ports of its sidecar.',
    ['allow', 'deny'],
  ).default('allow'),
  traceSampling: sampling.optional(),
  sidecar: sidecar.optional(),
});

export type NamespacePolicySpec = z.output<typeof namespacePolicySpec>;
export type NamespacePolicy = Resource<NamespacePolicySpec>;

/** Whether the webhook may add sidecars in the namespace; without a policy it may. */
export function isInjectionEnabled(policy: NamespacePolicy | undefined): boolean {
  return policy?.spec.injection?.enabled ?? true;
}

/** The sidecar's defaults in the namespace, as annotations without their prefix: `sidecar-cpu-request`, `log-level` … */
export function sidecarDefaults(policy: NamespacePolicy | undefined): Readonly<Record<string, string>> {
  return asAnnotations(policy?.spec.sidecar ?? {});
}

/** The spec with its defaults, or everything that is wrong with it. */
export function readNamespacePolicy(spec: unknown): Result<NamespacePolicySpec, readonly string[]> {
  return readSpec(namespacePolicySpec, spec);
}
