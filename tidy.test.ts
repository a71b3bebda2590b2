// The few rules of the house that a test can keep, over every tracked TypeScript file.
//
// A failure says where, which rule, and what to do instead. Each rule carries a sample that breaks it and is tried on
// that first, so that no rule can fall asleep. CONTRIBUTING.md says the rules in words.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
// The parser that vitest itself stands on: the compiler of TypeScript 7 offers none.
import { type ESTree, parseSync, Visitor, type VisitorObject } from 'vite';
import { describe, expect, test } from 'vitest';

const ROOT = import.meta.dirname;

/** A folder imports from folders of lower rank and from itself. */
const RANK: Readonly<Record<string, number>> = {
  ...{ kit: 0, wire: 1, api: 1, policy: 2, identity: 2, kube: 2, pki: 2 },
  ...{ sidecar: 3, sentry: 3, operator: 3, sdk: 3, cli: 4, e2e: 5, bench: 5, fuzz: 5, examples: 5 },
};
const CONTROL_PLANE = ['kube', 'pki', 'sentry', 'operator'];
/** Loaded when they are called for, and never on the way to a sidecar. */
const CLUSTER_COMMANDS = new Set([
  ...[
    'cli/uninstall.ts',
    'cli/cluster.ts',
    'cli/policies-of-cluster.ts',
    'cli/check/facts.ts',
    'cli/audit/cluster-facts.ts',
    'cli/pod-metrics.ts',
    'cli/resiliency/pods.ts',
  ],
]);
const STAGES = new Set(['identify', 'authorize', 'limit', 'resolve', 'resilience', 'transport']);
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

interface Import {
  readonly specifier: string;
  readonly isTypeOnly: boolean;
  readonly at: number;
}

interface Source {
  /** From the root of the checkout, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly program: ESTree.Program;
  readonly comments: ReturnType<typeof parseSync>['comments'];
  readonly imports: readonly Import[];
}

interface Rule {
  readonly says: string;
  readonly instead: string;
  /** Where the file breaks the rule, as offsets into its text. */
  readonly breaks: (source: Source) => number[];
  /** A path and a text that break the rule. */
  readonly sample: readonly [path: string, text: string];
}

/** Tests and what only they use. */
const isTest = (path: string) => /\.(test|suite|interop)\.ts$|(^|\/)testing[-./]/.test(path);
const isUnder = (path: string, ...folders: string[]) => folders.some((folder) => path.startsWith(`${folder}/`));
/** Programs of their own: what is a parameter elsewhere is filled in here. */
const isMain = (path: string) => path.endsWith('/main.ts') || isUnder(path, 'e2e', 'bench', 'examples', 'scripts');

const RULES: readonly Rule[] = [
  {
    says: 'imports go down: kit < wire, api < policy, identity, kube, pki < sidecar, sentry, operator < cli < the rest',
    instead: 'move what both need to a lower folder, or take it as a parameter',
    breaks: (source) => source.imports.filter((used) => goesUpOrSideways(source.path, used)).map(({ at }) => at),
    sample: ['wire/x.ts', '// Why.\nimport { y } from "../api/y.ts";'],
  },
  {
    says: 'the stages of the sidecar meet in way/ alone',
    instead: 'import the type alone, and let way/ or the files that put the sidecar together hand the value over',
    breaks: (source) => source.imports.filter((used) => reachesForAStage(source.path, used)).map(({ at }) => at),
    sample: ['sidecar/edge/x.ts', '// Why.\nimport { y } from "../transport/y.ts";'],
  },
  {
    says: 'the libraries of the control plane stay out of the sidecar',
    instead: 'use wire/ for gRPC and identity/ for certificates; only the control plane and tests may use these',
    breaks: (source) =>
      isTest(source.path) || isUnder(source.path, ...CONTROL_PLANE, 'e2e', 'bench', 'examples')
        ? []
        : source.imports
            .filter(({ specifier }) => /^(@peculiar\/x509|@grpc\/grpc-js|@kubernetes\/|express)/.test(specifier))
            .map(({ at }) => at),
    sample: ['cli/x.ts', '// Why.\nimport * as grpc from "@grpc/grpc-js";'],
  },
  {
    says: 'the rooms of the control plane stay out of the sidecar',
    instead: 'move what both need to api/ or kit/; of the CLI, only a command about a cluster may know Kubernetes',
    breaks: (source) =>
      isTest(source.path) ||
      isUnder(source.path, ...CONTROL_PLANE, 'e2e', 'scripts') ||
      CLUSTER_COMMANDS.has(source.path)
        ? []
        : source.imports.filter((used) => isUnder(target(source.path, used), 'kube', 'pki')).map(({ at }) => at),
    sample: ['sidecar/x.ts', '// Why.\nimport type { Kube } from "../kube/kube.ts";'],
  },
  {
    says: '`process` and `console` belong to main files',
    instead: 'read it in main.ts and hand it down, or write to the log that the part was given',
    breaks: ({ path, program, imports }) =>
      isTest(path) || isMain(path)
        ? []
        : [...references(program, 'process', 'console'), ...importsOf(imports, 'node:process', 'node:console')],
    sample: ['cli/x.ts', '// Why.\nconsole.log(process.pid);'],
  },
  {
    says: 'time is a parameter',
    instead: 'take a Clock (kit/clock.ts), whose waits keep no process alive',
    breaks: ({ path, program, imports }) =>
      isTest(path) || isMain(path) || isUnder(path, 'kit')
        ? []
        : [
            ...members(program, 'Date.now', 'performance.now'),
            ...datesOfNow(program),
            ...references(program, 'setTimeout', 'setInterval'),
            ...importsOf(imports, 'node:timers', 'node:timers/promises'),
          ],
    sample: ['cli/x.ts', '// Why.\nsetTimeout(() => new Date(Date.now()), 1);'],
  },
  {
    says: 'chance is a parameter, in tests too',
    instead: 'take a Random (kit/backoff.ts); in a test, draw from fast-check, which can repeat what it drew',
    breaks: ({ path, program }) => (isMain(path) || isUnder(path, 'kit') ? [] : members(program, 'Math.random')),
    sample: ['cli/x.test.ts', '// Why.\nexport const x = Math.random();'],
  },
  {
    says: 'a file opens with what it is for',
    instead: 'write a comment of a line or more on top',
    breaks: ({ text, comments }) => {
      const start = text.startsWith('#!') ? text.indexOf('\n') + 1 : 0;
      return comments.some((comment) => comment.start === start && comment.value.trim() !== '') ? [] : [start];
    },
    sample: ['cli/x.ts', 'export const x = 1; // Why.'],
  },
  {
    says: `a file has at most ${FILE_LINES_MAX} lines`,
    instead: 'give one of its concerns a file of its own',
    breaks: ({ text }) => (text.split('\n').length > FILE_LINES_MAX + 1 ? [text.length] : []),
    sample: ['cli/x.ts', `// Why.\n${'\n'.repeat(FILE_LINES_MAX)}`],
  },
  {
    says: `a function has at most ${FUNCTION_LINES_MAX} lines`,
    instead: 'name a part of it and move that out',
    breaks: ({ path, text, program }) => (isTest(path) ? [] : longFunctions(program, text)),
    sample: ['cli/x.ts', `// Why.\nexport const x = () => {${'\n'.repeat(FUNCTION_LINES_MAX)}};`],
  },
  {
    says: 'no type is given up: neither `any` nor `as unknown as`',
    instead: 'say the type, or take `unknown` and look',
    breaks: ({ program }) =>
      positions(program, (found) => ({
        TSAnyKeyword: found,
        TSAsExpression: (node) => {
          const { expression } = node;
          if (expression.type === 'TSAsExpression' && expression.typeAnnotation.type === 'TSUnknownKeyword')
            found(node);
        },
      })),
    sample: ['cli/x.test.ts', '// Why.\nexport const x: any = 1 as unknown as string;'],
  },
  {
    says: 'nothing is left for later in a comment',
    instead: 'do it, or say in words what is not done and why',
    breaks: ({ comments }) =>
      comments.filter(({ value }) => /\b(TO-?DO|FIX-?ME|XXX|HACK)\b/.test(value)).map(({ start }) => start),
    sample: ['cli/x.ts', `// Why.\n// ${'TO'}${'DO'}: this.`],
  },
  {
    says: 'no test runs alone',
    instead: 'take the .only away',
    breaks: ({ path, program }) =>
      path.endsWith('.test.ts') ? members(program, 'test.only', 'it.only', 'describe.only', 'suite.only') : [],
    sample: ['cli/x.test.ts', '// Why.\ntest.only("x", () => undefined);'],
  },
];

const sources = trackedFiles().map((path) => readSource(path, readFileSync(join(ROOT, path), 'utf8')));

describe.each(RULES)('$says', ({ says, instead, breaks, sample: [path, text] }) => {
  test('is seen to be broken', () => {
    expect(breaks(readSource(path, text))).not.toEqual([]);
  });

  test('is kept', () => {
    const broken = sources.flatMap((source) =>
      breaks(source).map((at) => `${source.path}:${lineOf(source.text, at)} ${says}. Instead: ${instead}.`),
    );
    expect(broken).toEqual([]);
  });
});

test('imports run in no circle', () => {
  const graph = new Map(
    sources.map((source) => [source.path, source.imports.map((used) => target(source.path, used))]),
  );
  expect(circles(graph), 'break each circle: move what two files share to a third').toEqual([]);
});

test('a circle is seen', () => {
  const graph = { a: ['b', 'node:fs'], b: ['c'], c: ['b', 'd'], d: [] };
  expect(circles(new Map(Object.entries(graph)))).toEqual(['b > c > b']);
});

test('there are files to look at, and all of them can be read', () => {
  expect(sources.length).toBeGreaterThan(20);
});

/** Those that git tracks and that are still there. */
function trackedFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--', '*.ts'], { cwd: ROOT, encoding: 'utf8' });
  return listed.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

function readSource(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text);
  if (errors.length > 0)
    throw new Error(`${path} cannot be parsed: ${errors.map(({ message }) => message).join('; ')}`);
  const imports: Import[] = [];
  const note = (source: ESTree.Expression | null, isTypeOnly: boolean) => {
    if (source?.type !== 'Literal' || typeof source.value !== 'string') return;
    imports.push({ specifier: source.value, isTypeOnly, at: source.start });
  };
  new Visitor({
    ImportDeclaration: (node) => note(node.source, node.importKind === 'type'),
    ExportNamedDeclaration: (node) => note(node.source, node.exportKind === 'type'),
    ExportAllDeclaration: (node) => note(node.source, node.exportKind === 'type'),
    ImportExpression: (node) => note(node.source, false),
    TSImportType: (node) => note(node.source, true),
  }).visit(program);
  return { path, text, program, comments, imports };
}

/** The imported file, from the root of the checkout; a package stays as it is. */
function target(path: string, { specifier }: Import): string {
  return specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier;
}

function goesUpOrSideways(path: string, used: Import): boolean {
  if (!used.specifier.startsWith('.') || !used.specifier.endsWith('.ts')) return false;
  const [from = ''] = path.split('/');
  const [to = ''] = target(path, used).split('/');
  const [fromRank, toRank] = [RANK[from], RANK[to]];
  if (from === to || fromRank === undefined) return false;
  return toRank === undefined || toRank >= fromRank;
}

/** The files right under sidecar/ put it together, and may. */
function reachesForAStage(path: string, used: Import): boolean {
  const roomOf = (file: string) => /^sidecar\/([^/]+)\//.exec(file)?.[1];
  const [from, to] = [roomOf(path), roomOf(target(path, used))];
  if (from === undefined || to === undefined || used.isTypeOnly || isTest(path)) return false;
  return from !== to && from !== 'way' && STAGES.has(to);
}

function importsOf(imports: readonly Import[], ...specifiers: string[]): number[] {
  return imports.filter(({ specifier }) => specifiers.includes(specifier)).map(({ at }) => at);
}

/** The starts of the nodes that a visitor finds, each once. */
function positions(
  program: ESTree.Program,
  visitor: (found: (node: { readonly start: number }) => void) => VisitorObject,
): number[] {
  const starts = new Set<number>();
  new Visitor(visitor((node) => starts.add(node.start))).visit(program);
  return [...starts];
}

/** Uses of these globals by their bare names: `socket.setTimeout` is not one of setTimeout. */
function references(program: ESTree.Program, ...names: string[]): number[] {
  const fieldNames = new Set<number>();
  const isField = (node: { key: { start: number }; computed: boolean; shorthand?: boolean }) => {
    if (!node.computed && !node.shorthand) fieldNames.add(node.key.start);
  };
  return positions(program, (found) => ({
    MemberExpression: (node) => {
      const isGlobal = node.object.type === 'Identifier' && node.object.name === 'globalThis';
      if (!node.computed && !isGlobal) fieldNames.add(node.property.start);
    },
    Property: isField,
    PropertyDefinition: isField,
    MethodDefinition: isField,
    TSPropertySignature: isField,
    TSMethodSignature: isField,
    Identifier: (node) => {
      if (names.includes(node.name) && !fieldNames.has(node.start)) found(node);
    },
  }));
}

/** Uses such as `Date.now`, given as `object.property`. */
function members(program: ESTree.Program, ...names: string[]): number[] {
  return positions(program, (found) => ({
    MemberExpression: (node) => {
      const { object, property } = node;
      if (object.type !== 'Identifier' || property.type !== 'Identifier') return;
      if (names.includes(`${object.name}.${property.name}`)) found(node);
    },
  }));
}

function datesOfNow(program: ESTree.Program): number[] {
  return positions(program, (found) => ({
    NewExpression: (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'Date' && node.arguments.length === 0) found(node);
    },
  }));
}

function longFunctions(program: ESTree.Program, text: string): number[] {
  return positions(program, (found) => {
    const check = (node: { readonly start: number; readonly end: number }) => {
      if (lineOf(text, node.end) - lineOf(text, node.start) >= FUNCTION_LINES_MAX) found(node);
    };
    return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check };
  });
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Each circle once, from the file where a walk in depth met it. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, way: readonly string[]) => {
    const met = way.indexOf(file);
    if (met >= 0) found.push([...way.slice(met), file].join(' > '));
    if (met >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) walk(next, [...way, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return found;
}
