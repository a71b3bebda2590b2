// Fields that several of our resources share: names and their wildcards, operations, amounts of time.
import { canonicalPath } from '../path.ts';
import { VERBS } from '../verb.ts';
import { among, dictionary, matching, object, type Rule, ruled, set, text, textOrInteger } from './schema.ts';

const APP_ID = matching(
  /^[a-z]([-a-z0-9]{0,54}[a-z0-9])?$/,
  'an app id has lower-case letters, digits and dashes, starts with a letter and has at most 56 characters',
);
const APP_PATTERN = matching(
  /^[a-z*]([-a-z0-9*]{0,62}[a-z0-9*])?$/,
  'write an app id, such as web, or a pattern in which * stands for any characters, such as team-*',
);
const NAMESPACE_PATTERN = matching(
  /^[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?$/,
  'write a namespace, such as shop, or a pattern in which * stands for any characters, such as team-*',
);
const TRUST_DOMAIN = matching(
  /^[a-z0-9]([-._a-z0-9]{0,253}[a-z0-9])?$/,
  'a trust domain has lower-case letters, digits, dots and dashes, such as cluster.local',
);
const NAME = matching(
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  'a name has lower-case letters, digits and dashes, and at most 63 characters',
);
export const SERVICE_ACCOUNT = matching(
  /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/,
  'write the name of a ServiceAccount, without its namespace',
);
/** A rule that denies a slip of the pen keeps nobody out. */
const METHOD = among(
  [...VERBS],
  'write methods in upper case, such as GET, and of HTTP: sidecars pass on no others; leave methods out for all of them',
);
const STARTS_WITH_SLASH: Rule<string> = {
  cel: "self.startsWith('/')",
  holds: (path) => path.startsWith('/'),
  message: 'a path begins with a slash, such as /orders/{id}',
};
const PATH_TEMPLATE = matching(
  /^[^/*{}?#\s]*(\/([^/*{}?#\s]*|\{\w+\}))*(\/\*\*)?$/,
  'write a path without query, such as /orders; {id} stands for one whole segment, and ** at the very end for any number of them',
);
/** The path that a sidecar judges has one spelling (api/path.ts); a template in another would never match. */
const CANONICAL: Rule<string> = {
  cel: "!self.contains('//') && !self.matches('/[.]{1,2}(/|$)')",
  holds: isCanonical,
  message:
    'write it as sidecars judge it: no empty segment, no . or .., letters and digits plain, anything else percent-encoded in upper case',
};
const GRPC_METHOD = matching(
  /^[A-Za-z_*][\w.*]*\/[A-Za-z_*][\w*]*$/,
  'write package.Service/Method without a leading slash; * stands for any characters, such as shop.Orders/*',
);
const DURATION = /^([0-9]+([.][0-9]+)?(ms|s|m|h))+$/;

export const appId = (description: string) => text(description, 56, APP_ID);
export const appPattern = (description: string) => text(description, 64, APP_PATTERN);
export const namespacePattern = (description: string) => text(description, 63, NAMESPACE_PATTERN);
export const trustDomain = (description: string) => text(description, 255, TRUST_DOMAIN);
export const name = (description: string) => text(description, 63, NAME);

export const caller = ruled(
  object('Callers, by the identity that their certificates prove.', {
    app: appPattern('App id, in which * stands for any characters. Left out: every app.').optional(),
    namespace: namespacePattern(
      "Namespace, in which * stands for any characters. Left out: the policy's own namespace.",
    ).optional(),
    trustDomain: trustDomain("Trust domain, by its whole name. Left out: the installation's own.").optional(),
  }),
  {
    cel: 'has(self.app) || has(self.__namespace__) || has(self.trustDomain)',
    holds: ({ app, namespace, trustDomain }) => [app, namespace, trustDomain].some((part) => part !== undefined),
    message: "name an app, a namespace or both; app: '*' is every app of the policy's own namespace",
  },
  {
    cel: '!has(self.trustDomain) || has(self.__namespace__)',
    holds: ({ namespace, trustDomain }) => trustDomain === undefined || namespace !== undefined,
    message: "a trust domain has namespaces of its own; name one beside it, or write namespace: '*'",
  },
);

/** More than nothing. */
export function duration(description: string) {
  return text(description, 32, {
    cel: `self.matches(r'${DURATION.source}') && self.matches('[1-9]')`,
    holds: (written) => DURATION.test(written) && /[1-9]/.test(written),
    message: 'write a duration of more than nothing, such as 500ms, 30s or 1h30m',
  });
}

export function durationOrZero(description: string) {
  return text(description, 32, matching(DURATION, 'write a duration, such as 500ms, 30s or 1h30m; 0s for none'));
}

export function cpu(description: string) {
  return textOrInteger(description, /^[0-9]{1,9}([.][0-9]{1,3})?m?$/, 'write an amount of CPU, such as 100m or 2');
}

/** Of memory, or of anything else in bytes. */
export function size(description: string) {
  return textOrInteger(
    description,
    /^[0-9]{1,15}([.][0-9]{1,3})?([KMGT]i|[kMGT])?$/,
    'write a size, such as 64Mi or 1Gi',
  );
}

export function headerName(description: string) {
  return text(description, 128, matching(/^[A-Za-z0-9][-A-Za-z0-9]*$/, 'write the name of a header, such as x-user'));
}

/** As Kubernetes has them, up to what a pod's labels may be. */
export function labels(description: string) {
  return dictionary(description, text('The value of a label.', 63), 16);
}

export interface Operation {
  readonly methods?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly grpc?: readonly string[] | undefined;
}

/** HTTP by methods and paths, or gRPC: never both in one. */
export const EITHER_HTTP_OR_GRPC: Rule<Operation> = {
  cel: 'has(self.grpc) != (has(self.methods) || has(self.paths))',
  holds: ({ methods, paths, grpc }) => (grpc !== undefined) !== (methods !== undefined || paths !== undefined),
  message: 'write methods, paths or both for HTTP, or grpc alone; an item of its own for each',
};

export const operationFields = {
  methods: set('Methods of HTTP, in upper case. Left out: all of them.', text('A method of HTTP.', 20, METHOD), {
    minItems: 1,
    maxItems: 16,
  }).optional(),
  paths: set(
    'Path templates. A plain path is that very path and not what is below it; {name} stands for one whole segment; /** at the end for any number of further segments, none included. Left out: every path.',
    text('A path template.', 256, STARTS_WITH_SLASH, PATH_TEMPLATE, CANONICAL),
    { minItems: 1, maxItems: 10 },
  ).optional(),
  grpc: set(
    'Methods of gRPC as package.Service/Method, in which * stands for any characters but a slash.',
    text('A method of gRPC.', 256, GRPC_METHOD),
    { minItems: 1, maxItems: 10 },
  ).optional(),
};

/** Or no path template at all, which is another complaint. */
function isCanonical(template: string): boolean {
  if (!STARTS_WITH_SLASH.holds(template) || !PATH_TEMPLATE.holds(template)) return true;
  const plain = template.replace(/\/\*\*$/, '/x').replaceAll(/\{\w+\}/g, 'x');
  const canonical = canonicalPath(plain);
  return canonical.ok && canonical.value === plain;
}
