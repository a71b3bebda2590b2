// What becomes of a call, and by what.

export type Outcome = 'allow' | 'deny';

/** What decided. `name` is for logs, metrics and people; no two that decide differently share one. */
export type Ground =
  /** The name is `namespace/policy/rule`. */
  | { readonly kind: 'rule'; readonly name: string }
  /** No rule matched, or there is no policy: whose default it was. */
  | { readonly kind: 'default'; readonly of: 'policy' | 'namespace' | 'installation'; readonly name: string }
  /** The list of a NamespacePolicy that does not have the caller, or the app that is called. */
  | { readonly kind: 'fence'; readonly list: 'callableFrom' | 'mayCall'; readonly name: string }
  /** A policy that this program cannot read: it must not open what it was to close. */
  | { readonly kind: 'unreadable'; readonly name: string; readonly reason: string };

export interface Allowed {
  readonly kind: 'allow';
  readonly by: Ground;
  /** What would have denied the call, were the policies in audit mode those that are enforced. */
  readonly auditDeniedBy?: Ground;
}

export interface Denied {
  readonly kind: 'deny';
  readonly by: Ground;
  readonly auditDeniedBy?: Ground;
}

export type Verdict = Allowed | Denied;

/** `namespace/policy`: the AccessPolicy that the ground is of; undefined where it is of none. */
export function policyOf(ground: Ground): string | undefined {
  const isOfOther = ground.kind === 'fence' || (ground.kind === 'default' && ground.of !== 'policy');
  return isOfOther ? undefined : policyOfName(ground.name);
}

/** The same, by the name of a ground that is of an AccessPolicy. */
export function policyOfName(name: string): string {
  const place = name.startsWith(DEFAULT_OF) ? name.slice(DEFAULT_OF.length) : name;
  return place.split('/', 2).join('/');
}

const DEFAULT_OF = 'default of ';

/** Of a policy, by its name `namespace/policy`. */
export function defaultOfPolicy(name: string): Ground {
  return { kind: 'default', of: 'policy', name: `${DEFAULT_OF}${name}` };
}
