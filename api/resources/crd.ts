// Our four kinds as CustomResourceDefinitions. scripts/generate.ts writes them down: for the chart, and for kubectl.
import * as z from 'zod';
import { GROUP, VERSION } from '../pod.ts';
import { accessPolicySpec } from './access-policy.ts';
import { httpEndpointSpec } from './http-endpoint.ts';
import { namespacePolicySpec } from './namespace-policy.ts';
import { resiliencySpec } from './resiliency.ts';
import { VALIDATIONS } from './schema.ts';
import { status, statusWithAudit } from './status.ts';
import { type StructuralSchema, structuralSchema } from './structural.ts';

interface Column {
  readonly name: string;
  readonly type: 'string' | 'boolean' | 'date';
  readonly description: string;
  readonly jsonPath: string;
  /** 1: with `-o wide` alone. */
  readonly priority?: 1;
}

export interface ResourceKind {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  readonly scope: 'Namespaced' | 'Cluster';
  readonly description: string;
  readonly spec: z.ZodType;
  /** Left out: what every kind says of itself. */
  readonly status?: z.ZodType;
  /** CEL rules about the whole object, of whose metadata they see the name. */
  readonly rules: readonly { readonly rule: string; readonly message: string }[];
  /** Between the conditions and the age. */
  readonly columns: readonly Column[];
}

const NAMED_AS_NAMESPACE = {
  rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",
  message: 'a NamespacePolicy has the name of the namespace that it is about, such as shop',
};

const NAMED_AS_LABEL = {
  rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",
  message:
    'the name of an HTTPEndpoint has lower-case letters, digits and dashes, and at most 63 characters; with a dot it would be that of an app in a namespace',
};

export const RESOURCE_KINDS: readonly ResourceKind[] = [
  {
    kind: 'AccessPolicy',
    plural: 'accesspolicies',
    singular: 'accesspolicy',
    shortName: 'iap',
    scope: 'Namespaced',
    description:
      'Says who may call which apps of its namespace, and what. It is enforced in the sidecar of the app that is called.',
    spec: accessPolicySpec,
    status: statusWithAudit,
    rules: [],
    columns: [
      { name: 'Mode', type: 'string', description: 'Whether it is enforced or only audited.', jsonPath: '.spec.mode' },
      {
        name: 'Default',
        type: 'string',
        description: 'What becomes of calls without a rule.',
        jsonPath: '.spec.default',
      },
      { name: 'Apps', type: 'string', description: 'The apps that it protects; empty: all.', jsonPath: '.spec.apps' },
      {
        name: 'WouldDeny',
        type: 'string',
        description: 'In audit mode: whether calls were seen that it would deny.',
        jsonPath: '.status.conditions[?(@.type=="WouldDeny")].status',
      },
    ],
  },
  {
    kind: 'Resiliency',
    plural: 'resiliencies',
    singular: 'resiliency',
    shortName: 'ires',
    scope: 'Namespaced',
    description: 'Says how calls from the apps of its namespace, and calls to them, survive what goes wrong.',
    spec: resiliencySpec,
    rules: [],
    columns: [
      { name: 'Scopes', type: 'string', description: 'The apps that go by it; empty: all.', jsonPath: '.spec.scopes' },
    ],
  },
  {
    kind: 'NamespacePolicy',
    plural: 'namespacepolicies',
    singular: 'namespacepolicy',
    shortName: 'inp',
    scope: 'Cluster',
    description:
      'Says what holds for one namespace, whose name it has, whatever the people of the namespace write in it.',
    spec: namespacePolicySpec,
    rules: [NAMED_AS_NAMESPACE],
    columns: [
      {
        name: 'Injection',
        type: 'boolean',
        description: 'Whether pods may be meshed; empty: they may.',
        jsonPath: '.spec.injection.enabled',
      },
      {
        name: 'Access',
        type: 'string',
        description: 'What becomes of calls to apps without an AccessPolicy.',
        jsonPath: '.spec.defaultAccess',
      },
      {
        name: 'Direct',
        type: 'string',
        description: 'Whether apps may be reached past their sidecars.',
        jsonPath: '.spec.directTraffic',
      },
    ],
  },
  {
    kind: 'HTTPEndpoint',
    plural: 'httpendpoints',
    singular: 'httpendpoint',
    shortName: 'ihep',
    scope: 'Namespaced',
    description: 'Is a name by which the apps of its namespace call a service that has no sidecar.',
    spec: httpEndpointSpec,
    rules: [NAMED_AS_LABEL],
    columns: [
      { name: 'URL', type: 'string', description: 'Where the service is.', jsonPath: '.spec.baseUrl' },
      {
        name: 'Scopes',
        type: 'string',
        description: 'The apps that may use it; empty: all.',
        jsonPath: '.spec.scopes',
      },
    ],
  },
];

const API_VERSION = 'The version of the schema that the object is written in.';
const KIND = 'The kind of the object.';

export function customResourceDefinition(resource: ResourceKind) {
  const { kind, plural, singular, shortName, scope } = resource;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [shortName], categories: ['invoke'] },
      scope,
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns(resource),
          schema: { openAPIV3Schema: wholeSchema(resource) },
        },
      ],
    },
  };
}

/** Of the whole object. */
export function wholeSchema({ description, spec, rules, status: said = status }: ResourceKind): StructuralSchema {
  const whole = z
    .object({
      apiVersion: z.string().meta({ description: API_VERSION }).optional(),
      kind: z.string().meta({ description: KIND }).optional(),
      // The API server brings the schema of this one itself, and refuses even a description.
      metadata: z.object({}).optional(),
      spec,
      status: said.optional(),
    })
    .meta({ description, ...(rules.length > 0 && { [VALIDATIONS]: rules }) });
  return structuralSchema(whole);
}

function columns({ columns }: ResourceKind): readonly Column[] {
  const condition = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`;
  const accepted = { type: 'string', description: 'Whether it can be used as it is.' } as const;
  return [
    { name: 'Accepted', ...accepted, jsonPath: condition('Accepted', 'status') },
    ...columns,
    { name: 'Age', type: 'date', description: 'Since when it is there.', jsonPath: '.metadata.creationTimestamp' },
    {
      name: 'Reason',
      type: 'string',
      description: 'Why it is accepted or not.',
      jsonPath: condition('Accepted', 'reason'),
      priority: 1,
    },
    {
      name: 'Message',
      type: 'string',
      description: 'The same in words.',
      jsonPath: condition('Accepted', 'message'),
      priority: 1,
    },
  ];
}
