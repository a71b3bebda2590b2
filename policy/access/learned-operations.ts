// What one caller was seen to do, as the operations of a rule.
import type { AccessPolicySpec } from '../../api/resources/access-policy.ts';
import { chunks, groups } from '../../kit/lists.ts';
import { excerpt } from '../../kit/text.ts';
import { slashReadings } from '../match/readings.ts';
import { parseTemplate } from '../match/template.ts';
import { type AccessCall, judgedMethod } from './call.ts';

type Operation = NonNullable<AccessPolicySpec['rules'][number]['to']>[number];

export interface LearnedOperations {
  readonly to: readonly Operation[];
  /** What no rule can say, and why. */
  readonly left: readonly string[];
}

/** What an operation may hold (api/resources/fields.ts). */
const PATHS_MAX = 10;
const PATH_MAX = 256;
const METHODS_MAX = 16;
const METHOD = /^[A-Z][-A-Z]{0,19}$/;

export function learnedOperations(calls: readonly AccessCall[]): LearnedOperations {
  const grpc = [...new Set(calls.filter(({ kind }) => kind === 'grpc').map(({ path }) => path.slice(1)))].sort();
  const http = calls.filter(({ kind }) => kind !== 'grpc');
  const left = new Set<string>();
  const methodsByPath = new Map<string, Set<string>>();
  for (const ofMethod of groups(http, judgedMethod)) {
    const [first] = ofMethod;
    if (first === undefined) continue;
    if (!METHOD.test(judgedMethod(first))) {
      left.add(`with the method ${excerpt(judgedMethod(first))}, which a rule cannot name`);
      continue;
    }
    for (const path of templatesOf(ofMethod, left)) {
      const methods = methodsByPath.get(path) ?? new Set();
      methodsByPath.set(path, methods.add(judgedMethod(first)));
    }
  }
  return {
    to: [...httpOperations(methodsByPath), ...chunks(grpc, PATHS_MAX).map((some) => ({ grpc: [...some] }))],
    left: [...left],
  };
}

/** Paths with the same methods stand together. */
function httpOperations(methodsByPath: ReadonlyMap<string, ReadonlySet<string>>): Operation[] {
  const each = [...methodsByPath].map(([path, methods]) => ({ path, methods: shortened(methods) }));
  return groups(each, ({ methods }) => methods.join()).flatMap((alike) =>
    chunks(alike.map(({ path }) => path).sort(), PATHS_MAX).flatMap((paths) =>
      chunks(alike[0]?.methods ?? [], METHODS_MAX).map((methods) => ({ methods: [...methods], paths: [...paths] })),
    ),
  );
}

/** GET is HEAD, too. */
function shortened(methods: ReadonlySet<string>): readonly string[] {
  return [...methods].filter((method) => method !== 'HEAD' || !methods.has('GET')).sort();
}

/** A path that can be read in several ways needs a template for each. */
function templatesOf(calls: readonly AccessCall[], left: Set<string>): ReadonlySet<string> {
  const paths = new Set(calls.flatMap(({ path }) => slashReadings(path)));
  const templates = new Set<string>();
  for (const alike of groups([...paths], shapeOf)) {
    const template = `/${joined(alike.map((path) => path.slice(1).split('/'))).join('/')}`;
    if (template.length <= PATH_MAX && parseTemplate(template).ok) templates.add(template);
    else for (const path of alike) left.add(`${excerpt(path)}, which is too long for a rule`);
  }
  return templates;
}

/** Numbers, UUIDs, and long hexadecimal ones such as hashes. */
const ID = /^(\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,})$/i;

function shapeOf(path: string): string {
  return path
    .split('/')
    .map((segment) => (ID.test(segment) ? '{id}' : segment))
    .join('/');
}

/** Paths of one shape as one template: a segment in which all agree stays as it is, unless no template can have it so. */
function joined(paths: readonly (readonly string[])[]): readonly string[] {
  const [first = []] = paths;
  let ids = 0;
  return first.map((segment, at) => {
    if (!segment.includes('*') && paths.every((path) => path[at] === segment)) return segment;
    ids++;
    return ids === 1 ? '{id}' : `{id${ids}}`;
  });
}
