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
  const readings = call.kind === 'grpc' ? [call.path] : readingsOf(call.path);
  const outcomes = readings.map((reading): Outcome => {
    const matching = (action: Outcome) =>
      rules.some((placed) => placed.rule.action === action && matches(placed, own, call, reading, action));
    if (matching('deny')) return 'deny';
    if (matching('allow')) return 'allow';
    return ours.some(({ spec }) => spec.default === 'deny') ? 'deny' : 'allow';
  });
  return outcomes.includes('deny') ? 'deny' : 'allow';
}

function readingsOf(path: string): string[] {
  const tidy = (text: string) => text.replace(/\/+/g, '/');
  const both = ['%2F', '%5C'].flatMap((triplet) => (path.includes(triplet) ? [triplet] : []));
  const some = both.map((triplet) => tidy(path.split(triplet).join('/')));
  return [path, ...some, tidy(path.replaceAll('%2F', '/').replaceAll('%5C', '/'))];
}

function matches({ rule, namespace, isLiteral }: Placed, own: Identity, call: AccessCall, path: string, how: Outcome) {
  const isAbout = rule.from?.some((caller) => isCaller(caller, namespace, own, call.caller)) ?? true;
  const read = isLiteral ? call.path : path;
  return isAbout && (rule.to?.some((operation) => isOperation(operation, call, read, how === 'deny')) ?? true);
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

function isOperation({ methods, paths, grpc }: SpecOperation, call: AccessCall, path: string, isBroad: boolean) {
  if (call.kind === 'grpc') {
    return grpc?.some((pattern) => isGrpc(pattern, call.path.slice(1), isBroad)) ?? false;
  }
  if (grpc !== undefined) return false;
  const method = call.kind === 'tunnel' ? 'GET' : call.method;
  const isMethod = methods?.some((name) => name === method || (name === 'GET' && method === 'HEAD')) ?? true;
  return isMethod && (paths?.some((template) => isPath(template, path, isBroad)) ?? true);
}

function isGrpc(pattern: string, name: string, isBroad: boolean): boolean {
  const [service = '', method = ''] = pattern.split('/');
  const [calledService = '', calledMethod = ''] = name.split('/');
  const flags = isBroad ? 'i' : '';
  return fits(service, calledService, flags) && fits(method, calledMethod, flags);
}

function isPath(template: string, path: string, isBroad: boolean): boolean {
  if (fitsTemplate(template.slice(1).split('/'), path.slice(1).split('/'))) return true;
  if (!isBroad) return false;
  const spellings = (text: string) => [broad(text, false), broad(text, true)];
  return spellings(template).some((steps) => spellings(path).some((segments) => fitsTemplate(steps, segments)));
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

function broad(path: string, isCut: boolean): string[] {
  const segments = path
    .split('/')
    .map((segment) => (/^\{\w+\}$/.test(segment) ? segment : decodeURIComponent(segment).toUpperCase().toLowerCase()));
  return segments.map((segment) => (isCut ? segment.replace(/;.*/s, '') : segment)).filter((segment) => segment !== '');
}
