// Names that everything else agrees on. Each is a branded string; its parse function is the only maker.
import { err, ok, type Result } from '../kit/result.ts';
import { excerpt } from '../kit/text.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** What a workload is called inside its namespace: `[a-z]([-a-z0-9]{0,54}[a-z0-9])?`. */
export type AppId = Branded<'AppId'>;
/** A DNS-1123 label, as Kubernetes has it. */
export type Namespace = Branded<'Namespace'>;
/** The realm of one root of trust, lower-case, as in `spiffe://<trust domain>/…`. */
export type TrustDomain = Branded<'TrustDomain'>;
/** `spiffe://<trust domain>/ns/<namespace>/<app id>` (SPIFFE ID, section 2). */
export type SpiffeId = Branded<'SpiffeId'>;

/** Whom a call is for. */
export interface Target {
  readonly app: AppId;
  readonly namespace: Namespace;
}

/** Who somebody is, as a certificate of our CA proves it. */
export interface Identity extends Target {
  readonly trustDomain: TrustDomain;
}

/** 56 characters, because `<app-id>-invoke` has to fit a Service name; a Service name starts with a letter. */
const APP_ID = /^[a-z]([-a-z0-9]{0,54}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const TRUST_DOMAIN = /^[a-z0-9]([-._a-z0-9]{0,253}[a-z0-9])?$/;

export function parseAppId(text: string): Result<AppId> {
  if (APP_ID.test(text)) return ok(text as AppId);
  return err(
    `"${excerpt(text)}" is not an app id; use lower-case letters, digits and dashes, starting with a letter, at most 56 characters`,
  );
}

export function parseNamespace(text: string): Result<Namespace> {
  if (NAMESPACE.test(text)) return ok(text as Namespace);
  return err(`"${excerpt(text)}" is not a namespace; use lower-case letters, digits and dashes, at most 63 characters`);
}

export function parseTrustDomain(text: string): Result<TrustDomain> {
  if (TRUST_DOMAIN.test(text)) return ok(text as TrustDomain);
  return err(`"${excerpt(text)}" is not a trust domain; use lower-case letters, digits, dots and dashes`);
}

const KNOWN_NAMES_MAX = 1000;

/**
 * What is worked out once about a name and not for each call: the same few apps call and are called all day. Found by two
 * texts, without a third being put together from them. Bounded, since names can be made up; what is forgotten starts over.
 */
class KnownNames<Value> {
  readonly #byFirst = new Map<string, Map<string, Value>>();
  #size = 0;

  get(first: string, second: string): Value | undefined {
    return this.#byFirst.get(first)?.get(second);
  }

  set(first: string, second: string, value: Value): void {
    if (this.#size === KNOWN_NAMES_MAX) {
      this.#byFirst.clear();
      this.#size = 0;
    }
    const bySecond = this.#byFirst.get(first);
    if (bySecond === undefined) this.#byFirst.set(ownText(first), new Map([[ownText(second), value]]));
    else bySecond.set(ownText(second), value);
    this.#size++;
  }
}

/** A copy: a piece cut out of a request would keep the whole of its head in memory. */
function ownText(text: string): string {
  return Buffer.from(text).toString();
}

const targets = new KnownNames<Result<Target>>();

/**
 * Reads `app` or `app.namespace`; without a namespace the caller's own is meant. One text gives one object, as a rule, so
 * that what is known of a target can be found by its identity.
 */
export function parseTarget(text: string, ownNamespace: Namespace): Result<Target> {
  const known = targets.get(ownNamespace, text);
  if (known !== undefined) return known;
  const fresh = readTarget(ownText(text), ownNamespace);
  // What is no target is not kept: it may be long, and nobody asks for it all day.
  if (fresh.ok) targets.set(ownNamespace, text, fresh);
  return fresh;
}

function readTarget(text: string, ownNamespace: Namespace): Result<Target> {
  const [appText = '', namespaceText, ...rest] = text.split('.');
  if (rest.length > 0) return err(`"${excerpt(text)}" is not an app id; write app or app.namespace`);
  const app = parseAppId(appText);
  if (!app.ok) return app;
  if (namespaceText === undefined) return ok({ app: app.value, namespace: ownNamespace });
  const namespace = parseNamespace(namespaceText);
  return namespace.ok ? ok({ app: app.value, namespace: namespace.value }) : namespace;
}

export function spiffeId({ trustDomain, namespace, app }: Identity): SpiffeId {
  return `spiffe://${trustDomain}/ns/${namespace}/${app}` as SpiffeId;
}

/** Strict: anything but exactly one of our SPIFFE IDs is refused, upper case and extra segments included. */
export function parseSpiffeId(text: string): Result<Identity> {
  const match = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/([^/]+)$/.exec(text);
  const trustDomain = parseTrustDomain(match?.[1] ?? '');
  const namespace = parseNamespace(match?.[2] ?? '');
  const app = parseAppId(match?.[3] ?? '');
  if (trustDomain.ok && namespace.ok && app.ok) {
    return ok({ trustDomain: trustDomain.value, namespace: namespace.value, app: app.value });
  }
  return err(`"${excerpt(text)}" is not a SPIFFE ID of the form spiffe://<trust domain>/ns/<namespace>/<app id>`);
}

export function isSameTarget(a: Target, b: Target): boolean {
  return a.app === b.app && a.namespace === b.namespace;
}

const targetNames = new KnownNames<string>();

export function targetName({ app, namespace }: Target): string {
  const known = targetNames.get(namespace, app);
  if (known !== undefined) return known;
  // One flat text, which maps find by its hash at once, and not a new one each time.
  const fresh = ownText(`${app}.${namespace}`);
  targetNames.set(namespace, app, fresh);
  return fresh;
}
