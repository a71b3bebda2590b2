// The reference pages say what the program says: the same faults, flags and metrics, no more and no fewer; and what a
// page links to is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Call } from '../api/call.ts';
import { closedRequest, type ReplyEnd } from '../api/exchange.ts';
import {
  daprHttpStatus,
  type FaultCode,
  grpcStatus,
  httpStatus,
  isFaultCode,
  mayBeSentAgain,
  retryAfterSec,
} from '../api/fault.ts';
import { parseAppId, parseNamespace, parseTrustDomain } from '../api/ids.ts';
import { canonicalPath } from '../api/path.ts';
import { FLAGS } from '../cli/flag-table.ts';
import { ran } from '../cli/testing-commands.ts';
import { systemClock } from '../kit/clock.ts';
import { silentLog } from '../kit/log.ts';
import { must } from '../kit/result.ts';
import { manualClock } from '../kit/testing/clock.ts';
import { BUILT_IN, BUILT_IN_ROUTE, type RoutePlan } from '../policy/resiliency/plan.ts';
import { callMetrics } from '../sidecar/admin/call-metrics.ts';
import { ResilienceLog } from '../sidecar/admin/resilience-log.ts';
import { ResilienceWatch } from '../sidecar/admin/resilience-watch.ts';
import { Targets } from '../sidecar/resilience/targets.ts';
import { Flights } from '../sidecar/way/flights.ts';

const ROOT = join(import.meta.dirname, '..');

function page(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The cells of the table rows whose first cell is a word in code. */
function rowsOf(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/^\| (`.*) \|$/gm)].map(([, row = '']) => row.split('|').map((cell) => cell.trim()));
}

/** The words in code in a cell. */
function codes(cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

describe('faults.md', () => {
  /** A fault that is new, or gone, does not compile here. */
  const known: Readonly<Record<FaultCode, true>> = {
    ...{ 'bad-request': true, 'no-target': true, 'unknown-app': true, 'token-invalid': true, denied: true },
    ...{ 'origin-refused': true, 'method-refused': true, 'body-too-large': true, 'headers-too-large': true },
    ...{
      'rate-limited': true,
      unimplemented: true,
      internal: true,
      'not-ready': true,
      draining: true,
      'no-endpoint': true,
    },
    ...{
      'peer-unreachable': true,
      'peer-untrusted': true,
      'peer-closing': true,
      'peer-downgraded': true,
      'app-unreachable': true,
      'app-unhealthy': true,
      'app-busy': true,
      'breaker-open': true,
      'limit-reached': true,
      'app-closing': true,
      'external-unreachable': true,
      'external-untrusted': true,
      'external-closing': true,
      'external-broke': true,
    },
    ...{ 'peer-broke': true, 'app-broke': true, timeout: true, cancelled: true, loop: true },
  };
  const rows = rowsOf(page('docs/faults.md'));

  test('lists every fault, once, and no other', () => {
    expect(rows.map(([code]) => codes(code).join()).sort()).toEqual(Object.keys(known).sort());
  });

  test.each(rows)('%s has its statuses', (cell, http, grpc, dapr, seen, again) => {
    const code = codes(cell).join();
    if (!isFaultCode(code)) throw new Error(`${code} is no fault`);
    const told = { http, grpc, dapr, again };
    expect(told).toEqual({
      http: String(httpStatus(code)),
      grpc: String(grpcStatus(code)),
      dapr: String(daprHttpStatus(code)),
      again: mayBeSentAgain(code),
    });
    if (retryAfterSec(code) !== undefined) expect(seen).toBe('no');
  });
});

describe('cli.md', () => {
  const [, sidecarFlags = '', commands = ''] =
    /## Flags of a sidecar\n([\s\S]*?)^## The commands\n([\s\S]*?)^## Environment/m.exec(page('docs/cli.md')) ?? [];

  test('lists every flag of a sidecar in the order of the help, each with its other spellings and its default', () => {
    const told = rowsOf(sidecarFlags).map(([flag, also, initially]) => [codes(flag).join(), codes(also), initially]);
    const meant = Object.values(FLAGS).map(({ flag, short, aliases = [], initially = '' }) => [
      flag,
      [...(short === undefined ? [] : [short]), ...aliases],
      initially,
    ]);
    expect(told).toEqual(meant);
  });

  test('lists every command', async () => {
    const names = [
      ...(/^Commands:\n(.*?)\n\n/ms.exec(await help())?.[1] ?? '').matchAll(/^ {2}([a-z]+)\b.* {2,}/gm),
    ].map(([, name = '']) => name);
    const told = rowsOf(page('docs/cli.md')).flatMap(([cell]) =>
      codes(cell).filter((code) => /^invokectl \w/.test(code)),
    );
    expect(told).toEqual(names.map((name) => `invokectl ${name}`));
  });

  test.each([
    ...[
      'call',
      'list',
      'stop',
      'resiliency',
      'sentry',
      'explain',
      'policy test',
      'policy learn',
      'check',
      'uninstall',
      'completion',
    ],
  ])('lists every flag of %s', async (name) => {
    const section = commands.split(/^### /m).find((text) => text.startsWith(`\`invokectl ${name}\`\n`));
    const told = codes(section?.replace(/```[\s\S]*?```/g, '')).filter((code) => /^--[a-z]/.test(code));
    expect([...new Set(told)].sort()).toEqual(flagsIn(await help(...name.split(' '))).sort());
  });

  function flagsIn(text: string): string[] {
    return [...text.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
  }

  async function help(...command: string[]): Promise<string> {
    const { stdout } = await ran([...command, '--help']);
    return stdout;
  }
});

describe('README.md', () => {
  test('lists every page, once', () => {
    const pages = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md') && name !== 'README.md');
    const listed = [...page('docs/README.md').matchAll(/^\| \[([^\]]+\.md)\]\(\1\)/gm)].map(([, name = '']) => name);
    expect(listed.sort()).toEqual(pages.sort());
  });
});

describe('metrics.md', () => {
  test('lists every metric with its type and its labels, and no other', () => {
    const told = rowsOf(page('docs/metrics.md')).map(([name, type, labels]) => [
      codes(name).join(),
      type,
      codes(labels),
    ]);
    expect(told.sort()).toEqual(renderedMetrics().sort());
  });

  test('asks for no metric that there is not', () => {
    const names = renderedMetrics().flatMap(([name]) => [name, `${name}_bucket`]);
    const asked = page('docs/metrics.md').match(/\binvoke_[a-z_]+/g) ?? [];
    expect(asked.filter((name) => !names.includes(name))).toEqual([]);
  });

  /** What a sidecar that has had a call tells. */
  function renderedMetrics() {
    const metrics = callMetrics('1.0.0');
    metrics.certificateExpires(0);
    new Flights(systemClock, metrics).track('outbound', CALL, NOBODY, (reply) => {
      reply.end([]);
      return closedRequest;
    });
    metrics.httpOffence('head-bytes');
    metrics.appAsked(true);
    metrics.inboundLimits.turnedAway('rate');
    metrics.accessDenied('inbound', 'web.default', 'the default');
    metrics.accessAuditDenied('web.default', 'the default');
    const text = metrics.render() + renderedResilience();
    return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => {
      const labels = new RegExp(`^${name}(?:_bucket)?(?:\\{(.*)\\})? `, 'm').exec(text)?.[1] ?? '';
      return [name, type, [...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label).filter((l) => l !== 'le')];
    });
  }
});

/** What a sidecar tells of a target with a breaker. */
function renderedResilience(): string {
  const log = new ResilienceLog(silentLog, systemClock);
  const watch = new ResilienceWatch(log);
  const breaker = {
    maxRequests: 1,
    intervalMs: 0,
    openMs: 1,
    ratio: undefined,
    counting: 'servers-failures',
    operationsMax: 1,
  } as const;
  const route: RoutePlan = { ...BUILT_IN_ROUTE, name: 'pay', breaker: { ...breaker, trip: () => true } };
  const targets = new Targets(
    () => ({ ...BUILT_IN, limit: { maxInFlight: 1, queueSize: 1, queueTimeoutMs: 1 } }),
    () => 0,
    manualClock(),
    (target) => watch.of(target),
  );
  const instance = { host: 'h', port: 1 };
  const { watch: told, breakers, budget } = targets.of({ target: WEB, endpoints: () => [instance] }, 0);
  const made = breakers.of(route, '/', 0);
  made?.done(made.admit(0), 'failure', 0);
  budget.tryRetry(0);
  told.budgetAsked(false);
  told.retried('policy');
  told.hedged();
  told.leftZone();
  told.breakerRefused(route);
  told.ejected(instance, { why: 'failures', failures: 5, forMs: 1 });
  told.readmitted(instance);
  return watch.render(targets, 0);
}

describe("the control plane's metrics", () => {
  test.each([
    ['operator', 'docs/operations.md'],
    ['sentry', 'docs/certificate-authority.md'],
  ])('of the %s are in %s, each once, and no other is', (part, path) => {
    const told = rowsOf(page(path)).flatMap(([name]) => codes(name).filter((code) => code.startsWith('invoke_')));
    expect(told.sort()).toEqual(namedIn(part).sort());
  });

  /** Every name of a metric in the sources of a part. */
  function namedIn(part: string): string[] {
    const files = readdirSync(join(ROOT, part), { recursive: true, encoding: 'utf8' });
    const sources = files.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    return sources.flatMap((name) =>
      [...page(join(part, name)).matchAll(/'(invoke_[a-z_]+)'/g)].map(([, m = '']) => m),
    );
  }
});

const WEB = { app: must(parseAppId('web')), namespace: must(parseNamespace('default')) };
const CALL: Call = {
  // Which is counted wherever one over HTTP is, and by its own status.
  kind: 'grpc',
  target: WEB,
  caller: { ...WEB, trustDomain: must(parseTrustDomain('cluster.local')) },
  method: 'GET',
  path: must(canonicalPath('/')),
  query: '',
  headers: [],
  bodyBytes: 0,
  deadlineMs: undefined,
  hops: 1,
};
const NOBODY: ReplyEnd = { ...closedRequest, head: () => undefined };

describe('links', () => {
  const pages = ['README.md', 'CONTRIBUTING.md', ...markdownUnder('docs')];

  test.each(pages)('of %s lead to files that are there', (path) => {
    const targets = [...page(path).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(
      ([, target = '']) => target,
    );
    expect(targets.filter((target) => !existsSync(join(ROOT, dirname(path), target)))).toEqual([]);
  });

  test.each(pages)('of %s to a section lead to one that is there', (path) => {
    const sections = [...page(path).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)].filter(
      ([, file = '', section = '']) => !sectionsOf(file === '' ? path : join(dirname(path), file)).includes(section),
    );
    expect(sections.map(([link]) => link)).toEqual([]);
  });

  /** As a viewer of Markdown names them in links. */
  function sectionsOf(path: string): string[] {
    const titles = [...page(path).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title);
    return titles.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
  }

  test('to code: a path that ARCHITECTURE.md or a decision names is there', () => {
    const text = ['docs/ARCHITECTURE.md', ...markdownUnder('docs/adr')].map(page).join('\n');
    const named = codes(text.replace(/```[\s\S]*?```/g, '')).filter((code) =>
      /^[a-z]\w*\/([\w/.-]*(\.ts|\/))?$/.test(code),
    );
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  function markdownUnder(folder: string): string[] {
    const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
    return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name));
  }
});
