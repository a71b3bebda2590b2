// Servers differ in what they make of a path. Whatever one of them makes of it, a rule that denies that denies the path.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CanonicalPath, canonicalPath } from '../../api/path.ts';
import { parseTemplate } from '../match/template.ts';
import { compileAccess } from './compile.ts';
import { decide } from './decide.ts';
import { identity, policy } from './testing/policies.ts';

const own = identity('orders.shop');
const caller = identity('web.front');
const PATHS = 5000;
const PATIENCE_MS = 120_000;

interface Server {
  readonly decodings: 1 | 2;
  /** After how many of its decodings it looks for slashes; 0: before the first alone. */
  readonly splits: 0 | 1 | 2;
  readonly takesBackslashes: boolean;
  readonly cutsFirst: boolean;
  readonly cutsLast: boolean;
  readonly looksForQuery: boolean;
  readonly dropsTails: boolean;
  readonly foldsCase: 'no' | 'lower' | 'upper';
}

const anyServer: fc.Arbitrary<Server> = fc.record({
  decodings: fc.constantFrom<1 | 2>(1, 2),
  splits: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  takesBackslashes: fc.boolean(),
  cutsFirst: fc.boolean(),
  cutsLast: fc.boolean(),
  looksForQuery: fc.boolean(),
  dropsTails: fc.boolean(),
  foldsCase: fc.constantFrom('no', 'lower', 'upper'),
});

/** The segments that the server routes by, decoded. */
function segmentsFor(server: Server, path: string): readonly string[] {
  let segments = path.split('/');
  if (server.cutsFirst) segments = segments.map((segment) => segment.replace(/;.*/s, ''));
  for (let decoding = 1; decoding <= server.decodings; decoding++) {
    segments = segments.map(decoded);
    const slashes = server.takesBackslashes ? /[/\\]/ : /\//;
    if (server.splits >= decoding) segments = segments.flatMap((segment) => segment.split(slashes));
  }
  if (server.looksForQuery) segments = untilQuery(segments);
  if (server.cutsLast) segments = segments.map((segment) => segment.replace(/;.*/s, ''));
  if (server.dropsTails) segments = segments.map((segment) => segment.replace(/(?<=[^. ])[. ]+$/, ''));
  return segments.map((segment) => folded(server, segment)).filter((segment) => segment !== '');
}

function decoded(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}

function untilQuery(segments: readonly string[]): string[] {
  const last = segments.findIndex((segment) => /[?#]/.test(segment));
  if (last < 0) return [...segments];
  return [...segments.slice(0, last), (segments[last] ?? '').replace(/[?#].*/s, '')];
}

function folded({ foldsCase }: Server, segment: string): string {
  if (foldsCase === 'no') return segment;
  return foldsCase === 'lower' ? segment.toLowerCase() : segment.toUpperCase();
}

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('/', '%2f', '%5C', '%252F', '%255c') },
  {
    weight: 4,
    arbitrary: fc.constantFrom('a', 'B', 'admin', '%61', '%2561', '%C3%A9', '%25c3%25A9', '%25FF', '!', '%21'),
  },
  { weight: 3, arbitrary: fc.constantFrom(';', '%3B', '%253b', '%3F', '%253F', '%23', '%2523') },
  { weight: 1, arbitrary: fc.constantFrom('%25', '%2525', '%252561', '%2500', '%20', '%2520', '.', '2F', '5C') },
);
const anyPath = fc.array(piece, { maxLength: 10 }).map((pieces) => `/${pieces.join('')}`);

/** Which segments of the rule's path are `{id}`, and after how many all else is `/**`. */
const anyShape = fc.record({
  named: fc.array(fc.boolean(), { maxLength: 10 }),
  openAfter: fc.option(fc.nat({ max: 4 }), { nil: undefined, freq: 3 }),
});
type Shape = typeof anyShape extends fc.Arbitrary<infer Value> ? Value : never;

/** A template that the segments fit exactly; undefined where none can be written. */
function templateOf(segments: readonly string[], { named, openAfter }: Shape): string | undefined {
  if (!segments.every((segment) => segment.isWellFormed())) return undefined;
  const closed = openAfter === undefined ? segments : segments.slice(0, openAfter);
  const spelled = canonicalPath(`/${closed.map((segment) => encodeURIComponent(segment)).join('/')}`);
  if (!spelled.ok) return undefined;
  const steps = spelled.value.slice(1).split('/');
  const written = steps.map((step, i) => (named[i] && step !== '' ? '{id}' : step)).join('/');
  const template = `/${written}${openAfter === undefined ? '' : '/**'}`.replace('//**', '/**');
  return parseTemplate(template).ok ? template : undefined;
}

test(
  'a rule that denies what a server makes of a path denies the path',
  () => {
    let tried = 0;
    fc.assert(
      fc.property(anyPath, anyServer, anyShape, (raw, server, shape) => {
        const path = canonicalPath(raw);
        if (!path.ok) return;
        const template = templateOf(segmentsFor(server, path.value), shape);
        if (template === undefined) return;
        tried++;
        const outcome = outcomeOf(template, path.value);
        if (outcome !== 'deny') expect.fail(`${template} does not deny ${path.value}, which ${JSON.stringify(server)}`);
      }),
      { numRuns: PATHS },
    );
    expect(tried).toBeGreaterThan(PATHS / 2);
  },
  PATIENCE_MS,
);

function outcomeOf(template: string, path: CanonicalPath): string {
  const denying = policy({ default: 'allow', rules: [{ name: 'x', action: 'deny', to: [{ paths: [template] }] }] });
  const rules = compileAccess({ own, policies: [denying], defaults: { installation: 'allow' } });
  return decide(rules, { caller, kind: 'http', method: 'GET', path }).kind;
}
