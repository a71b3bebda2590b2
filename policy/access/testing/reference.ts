// The words of docs/access.md, once more and as plainly as they can be said: every rule is looked at, with regular expressions
// and lists. Slow, and shares no code with what it is compared to. It says only what becomes of a call, and not by what.
import type { Identity } from '../../../api/ids.ts';
import type { AccessCall } from '../call.ts';
import type { AccessDefaults } from '../compile.ts';
import type { PlacedPolicy } from '../rule.ts';
import type { Outcome } from '../verdict.ts';

type Spec = PlacedPolicy['spec'];
type SpecRule = Spec['rules'][number];
type SpecCaller = NonNullable<SpecRule['from']>[number];
type SpecOperation = NonNullable<SpecRule['to']>[number];

interface Placed {
  readonly rule: SpecRule;
  readonly namespace: string;
  readonly isLiteral: boolean;
}

interface View {
  readonly isBroad: boolean;
  readonly segments: readonly string[];
}

/** `mode`: whether it is the enforced policies that are asked, or those in audit mode. */
export function referenceOutcome(
  own: Identity,
  policies: readonly PlacedPolicy[],
  defaults: AccessDefaults,
  call: AccessCall,
  mode: Spec['mode'],
): Outcome {
  const ours = policies.filter(
    ({ namespace, spec }) =>
      spec.mode === mode && namespace === own.namespace && (spec.apps ?? [own.app]).includes(own.app),
  );
  if (ours.length === 0) return defaults.namespace ?? defaults.installation;
  const rules = ours.flatMap(({ namespace, spec }) =>
    spec.rules.map((rule) => ({ rule, namespace, isLiteral: spec.encodedSlash === 'literal' })),
  );
  const matching = (action: Outcome, views: (placed: Placed) => readonly View[]) =>
    rules.some((placed) => placed.rule.action === action && matches(placed, own, call, views(placed)));
  const broadly = broadViewsOf(call);
  if (matching('deny', ({ isLiteral }) => broadly(isLiteral))) return 'deny';
  const readings = call.kind === 'grpc' ? [call.path] : slashReadingsOf(call.path).map(tidy);
  const exact = (path: string): View[] => [{ isBroad: false, segments: path.slice(1).split('/') }];
  const isAllowed = (path: string) => matching('allow', ({ isLiteral }) => exact(isLiteral ? call.path : path));
  if (readings.every(isAllowed)) return 'allow';
  return ours.some(({ spec }) => spec.default === 'deny') ? 'deny' : 'allow';
}

function slashReadingsOf(path: string): string[] {
  const slashes = path.split('%2F').join('/');
  return [path, slashes, path.split('%5C').join('/'), slashes.split('%5C').join('/')];
}

function tidy(path: string): string {
  return path.replace(/\/+/g, '/');
}

/** Everything that a careless server may take a path for: each of its steps is taken, or not. */
function broadReadingsOf(path: string, isLiteral: boolean): string[] {
  const kinds = isLiteral ? [0] : [0, 1, 2, 3];
  const again = (text: string) =>
    text.replace(/%25([0-9a-f][0-9a-f])/gi, (triplet) => `%${triplet.slice(3).toUpperCase()}`);
  return either(path, (text) => segmentwise(text, (segment) => segment.split(';')[0] ?? ''))
    .flatMap((text) =>
      kinds.flatMap((kind) => {
        const once = slashReadingsOf(text)[kind] ?? '';
        return [once, again(once), slashReadingsOf(again(once))[kind] ?? ''];
      }),
    )
    .flatMap((text) => either(text, (all) => all.split(/%3F|%23/)[0] ?? ''))
    .flatMap((text) => either(text, (all) => segmentwise(all, (segment) => segment.split(/;|%3B/)[0] ?? '')));
}

function either(text: string, step: (text: string) => string): string[] {
  return [text, step(text)];
}

function segmentwise(path: string, change: (segment: string) => string): string {
  return path.split('/').map(change).join('/');
}

/** Found when they are asked for first. */
function broadViewsOf({ kind, path }: AccessCall): (isLiteral: boolean) => readonly View[] {
  const known = new Map<boolean, readonly View[]>();
  return (isLiteral) => {
    const found = known.get(isLiteral);
    if (found !== undefined) return found;
    const readings = kind === 'grpc' ? [] : new Set(broadReadingsOf(path, isLiteral));
    const views = [...readings].map((text) => ({ isBroad: true, segments: broad(text) }));
    known.set(isLiteral, views);
    return views;
  };
}

function matches({ rule, namespace }: Placed, own: Identity, call: AccessCall, views: readonly View[]) {
  const isAbout = rule.from?.some((caller) => isCaller(caller, namespace, own, call.caller)) ?? true;
  const isBroad = rule.action === 'deny';
  return isAbout && (rule.to?.some((operation) => isOperation(operation, call, views, isBroad)) ?? true);
}

function isCaller(caller: SpecCaller, ownNamespace: string, own: Identity, who: Identity): boolean {
  return (
    who.trustDomain === (caller.trustDomain ?? own.trustDomain) &&
    fits(caller.namespace ?? ownNamespace, who.namespace) &&
    fits(caller.app ?? '*', who.app)
  );
}

function fits(pattern: string, name: string, flags = ''): boolean {
  return new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`, flags).test(name);
}

function escaped(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
}

function isOperation(
  { methods, paths, grpc }: SpecOperation,
  call: AccessCall,
  views: readonly View[],
  isBroad: boolean,
) {
  if (call.kind === 'grpc') {
    return grpc?.some((pattern) => isGrpc(pattern, call.path.slice(1), isBroad)) ?? false;
  }
  if (grpc !== undefined) return false;
  const method = call.kind === 'tunnel' ? 'GET' : call.method;
  const isMethod = methods?.some((name) => name === method || (name === 'GET' && method === 'HEAD')) ?? true;
  return isMethod && (paths?.some((template) => views.some((view) => isPath(template, view))) ?? true);
}

function isGrpc(pattern: string, name: string, isBroad: boolean): boolean {
  const [service = '', method = ''] = pattern.split('/');
  const [calledService = '', calledMethod = ''] = name.split('/');
  const flags = isBroad ? 'i' : '';
  return fits(service, calledService, flags) && fits(method, calledMethod, flags);
}

function isPath(template: string, { isBroad, segments }: View): boolean {
  if (!isBroad) return fitsTemplate(template.slice(1).split('/'), segments);
  const cut = segmentwise(template, (step) => step.split(/;|%3B/)[0] ?? '');
  return [template, cut].some((text) => fitsTemplate(broad(text), segments));
}

function fitsTemplate([step, ...steps]: readonly string[], segments: readonly string[]): boolean {
  if (step === '**') return true;
  if (step === undefined) return segments.length === 0;
  const [segment, ...rest] = segments;
  if (segment === undefined) return false;
  // Open templates fit the path that ends where the rest may begin.
  if (steps[0] === '**' && rest.length === 0) return isStep(step, segment);
  return isStep(step, segment) && fitsTemplate(steps, rest);
}

function isStep(step: string, segment: string): boolean {
  return /^\{\w+\}$/.test(step) ? segment !== '' : step === segment;
}

function broad(path: string): string[] {
  const segments = path
    .split('/')
    .map((segment) => (/^\{\w+\}$/.test(segment) ? segment : decodedOnce(segment).toUpperCase().toLowerCase()));
  return segments.map((segment) => segment.replace(/(?<=[^. ])[. ]+$/, '')).filter((segment) => segment !== '');
}

function decodedOnce(segment: string): string {
  return segment.replace(/(%[0-9A-F]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}
