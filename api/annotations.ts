// From the annotations of a pod to what its sidecar needs to know, or to every mistake in them at once.

import { err, must, ok, type Result } from '../kit/result.ts';
import { excerpt, nearest, printable } from '../kit/text.ts';
import { KNOWN_KEYS, SERVED, type ServedAnnotation } from './annotation-table.ts';
import { UNSERVED } from './annotation-unserved.ts';
import { type AppHealthConfig, healthTimeoutMistake } from './app-health.ts';
import { isOverTls } from './app-protocol.ts';
import { COPIED_KEY, GROUP } from './pod.ts';

type Served = typeof SERVED;
type Parsed<A> = A extends { readonly parse: (text: string) => Result<infer T> } ? T : never;

/** What the annotations and the defaults say together. Undefined: nobody said, and there is no default. */
export type SidecarSettings = {
  readonly [Name in keyof Served]:
    | Parsed<Served[Name]>
    | (Served[Name] extends { readonly initially: string } ? never : undefined);
} & { readonly appId: Parsed<Served['appId']> };

/** What holds where a pod does not say otherwise: keys without the prefix. */
export interface Defaults {
  /** Whose they are, for messages: `the NamespacePolicy "shop"`. */
  readonly of: string;
  readonly values: Readonly<Record<string, string>>;
}

export type Annotations = Readonly<Record<string, string>>;

const PREFIX = `${GROUP}/`;
const VALUE_CHARACTERS_MAX = 4096;

export function annotationKey(name: keyof Served): string {
  return PREFIX + SERVED[name].key;
}

/**
 * `allowed` are the restricted keys that may be used here, with or without the prefix. Of several defaults for a key the
 * first holds. The mistakes are whole sentences.
 */
export function readAnnotations(
  annotations: Annotations,
  allowed: readonly string[],
  defaults: readonly Defaults[] = [],
): Result<SidecarSettings, readonly string[]> {
  const mistakes = [...annotationMistakes(annotations, allowed)];
  if (annotations[annotationKey('appId')] === undefined) mistakes.push(`${annotationKey('appId')} is missing`);
  const values: Record<string, unknown> = {};
  for (const [name, served] of Object.entries<ServedAnnotation>(SERVED)) {
    const value = settingOf(served, annotations, defaults);
    if (value.ok) values[name] = value.value;
    else mistakes.push(value.error);
  }
  const settings = values as SidecarSettings;
  if (mistakes.length === 0)
    mistakes.push(...portMistakes(settings), ...tlsMistakes(annotations, settings), ...healthMistakes(settings));
  return mistakes.length === 0 ? ok(settings) : err(mistakes);
}

/** What is wrong with each annotation of ours by itself; there may be no app id yet. */
export function annotationMistakes(annotations: Annotations, allowed: readonly string[]): readonly string[] {
  const free = new Set(allowed.map(withoutPrefix));
  return Object.entries(annotations).flatMap(([full, text]) => {
    if (!full.startsWith(PREFIX) || full === COPIED_KEY) return [];
    const complaint = complaintAbout(withoutPrefix(full), text, free);
    return complaint === undefined ? [] : [printable(`${full}: ${complaint}`)];
  });
}

/** What is wrong with values that are to hold where pods say nothing; whoever sets these needs nobody's consent. */
export function defaultMistakes(values: Defaults['values']): readonly string[] {
  const prefixed = Object.entries(values).map(([key, text]) => [PREFIX + key, text]);
  return annotationMistakes(Object.fromEntries(prefixed), KNOWN_KEYS);
}

function complaintAbout(key: string, text: string, allowed: ReadonlySet<string>): string | undefined {
  if (text.length > VALUE_CHARACTERS_MAX) return `it is longer than ${VALUE_CHARACTERS_MAX} characters`;
  const served = Object.values<ServedAnnotation>(SERVED).find((known) => known.key === key);
  if (served !== undefined) return complaintOfServed(served, text, allowed);
  const unserved = UNSERVED.find((known) => known.key === key);
  if (unserved === undefined) return unknown(key);
  if (unserved.isTaken(text)) return undefined;
  const instead = unserved.takes.filter((value) => value !== '').map((value) => `"${value}"`);
  const advice = instead.length === 0 ? 'take it away' : `take it away, or write ${instead.join(' or ')}`;
  return `"${excerpt(text)}" cannot be had: ${unserved.because}. Do this: ${advice}`;
}

function complaintOfServed(
  { key, parse, restricted }: ServedAnnotation,
  text: string,
  allowed: ReadonlySet<string>,
): string | undefined {
  const value = parse(text);
  if (!value.ok) return value.error;
  if (restricted === undefined || !restricted.is(text) || allowed.has(key)) return undefined;
  return (
    `"${excerpt(text)}" takes the platform team's consent, because it changes what runs or is trusted: take it away, or ` +
    `have ${PREFIX}${key} added to allowedAnnotations in the namespace's NamespacePolicy`
  );
}

function unknown(key: string): string {
  const meant = nearest(key, KNOWN_KEYS);
  const advice =
    meant === undefined ? 'docs/annotations.md lists those that there are' : `did you mean ${PREFIX}${meant}?`;
  return `there is no such annotation; ${advice}`;
}

/** A mistake in a default alone: annotations are judged by themselves, so here a bad one counts as absent. */
function settingOf(
  { key, parse, initially }: ServedAnnotation,
  annotations: Annotations,
  defaults: readonly Defaults[],
): Result<unknown> {
  const given = annotations[PREFIX + key];
  if (given !== undefined) {
    const value = parse(given);
    return ok(value.ok ? value.value : undefined);
  }
  const layer = defaults.find(({ values }) => Object.hasOwn(values, key));
  const text = layer?.values[key];
  if (layer === undefined || text === undefined) return ok(initial(parse, initially));
  const value = parse(text);
  if (value.ok) return value;
  return err(printable(`${PREFIX}${key}, a default of ${layer.of}: ${value.error}`));
}

function initial(parse: ServedAnnotation['parse'], initially: string | undefined): unknown {
  return initially === undefined ? undefined : must(parse(initially));
}

const PORT_NAMES = ['httpPort', 'grpcPort', 'publicPort', 'peerPort', 'metricsPort'] as const;
export type SidecarPortName = (typeof PORT_NAMES)[number];

/** The ports that a sidecar takes, and which setting moves each. */
export function sidecarPorts(settings: SidecarSettings): ReadonlyMap<SidecarPortName, number> {
  const taken = PORT_NAMES.filter((name) => name !== 'metricsPort' || settings.isMetricsOn);
  return new Map(taken.map((name) => [name, settings[name]]));
}

function portMistakes(settings: SidecarSettings): readonly string[] {
  const mistakes: string[] = [];
  const taken = new Map<number, string>();
  for (const [name, port] of sidecarPorts(settings)) {
    const other = taken.get(port);
    if (other !== undefined)
      mistakes.push(`${other} and ${annotationKey(name)} are both ${port}; give each its own port`);
    taken.set(port, annotationKey(name));
  }
  const ours = taken.get(settings.appPort ?? 0);
  if (ours !== undefined) {
    mistakes.push(
      `${annotationKey('appPort')} is ${settings.appPort}, which the sidecar itself takes; move that with ${ours}, ` +
        'or let the app listen elsewhere',
    );
  }
  return mistakes;
}

/** Of what the pod itself says: a default may be for other apps. */
function tlsMistakes(annotations: Annotations, settings: SidecarSettings): readonly string[] {
  const names = (['appTlsCaSecret', 'appTlsServerName'] as const).map(annotationKey);
  const given = names.filter((key) => annotations[key] !== undefined);
  const unverified = annotationKey('isAppTlsUnverified');
  const isUnverified = annotations[unverified] !== undefined && settings.isAppTlsUnverified;
  if (!isOverTls(settings.appProtocol)) {
    return [...given, ...(isUnverified ? [unverified] : [])].map(
      (key) => `${key} goes with ${annotationKey('appProtocol')} https or grpcs, and that is ${settings.appProtocol}`,
    );
  }
  if (!isUnverified) return [];
  return given.map(
    (key) => `${key} would mean nothing with ${unverified}, which verifies nothing; take one of them away`,
  );
}

function healthMistakes(settings: SidecarSettings): readonly string[] {
  const health = appHealthOf(settings);
  const mistake = health && healthTimeoutMistake(health);
  return mistake === undefined ? [] : [`${annotationKey('appHealthTimeoutMs')}: ${mistake}`];
}

const HEALTH_NAMES = ['appHealthPath', 'appHealthIntervalSec', 'appHealthTimeoutMs', 'appHealthThreshold'] as const;

/**
 * What the pod itself says of its health check and does nothing, as sentences. Manifests that were written for Dapr often have
 * them, where they do nothing either; so nobody is refused for it.
 */
export function healthRemarks(annotations: Annotations, settings: SidecarSettings): readonly string[] {
  const checked = annotationKey('isAppHealthChecked');
  const said = (key: string) => annotations[key] !== undefined;
  if (settings.isAppHealthChecked) {
    if (settings.appPort !== undefined || !said(checked)) return [];
    return [`${checked} does nothing without ${annotationKey('appPort')}`];
  }
  return HEALTH_NAMES.map(annotationKey)
    .filter(said)
    .map((key) => `${key} does nothing without ${checked}: "true"`);
}

/** Undefined: its health is not asked for. */
export function appHealthOf(settings: SidecarSettings): AppHealthConfig | undefined {
  if (!settings.isAppHealthChecked || settings.appPort === undefined) return undefined;
  return {
    path: settings.appHealthPath,
    intervalMs: settings.appHealthIntervalSec * 1000,
    timeoutMs: settings.appHealthTimeoutMs,
    threshold: settings.appHealthThreshold,
  };
}

function withoutPrefix(key: string): string {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key;
}
