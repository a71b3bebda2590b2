// What is counted and logged of judged calls, and that nobody can fill a disk or a table with them.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Call } from '../../api/call.ts';
import { parseSpiffeId } from '../../api/ids.ts';
import { canonicalPath } from '../../api/path.ts';
import { createLog, type LogLevel } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { type ManualClock, manualClock } from '../../kit/testing/clock.ts';
import { readDecisionLine } from '../../policy/access/decision-line.ts';
import type { Verdict } from '../../policy/access/verdict.ts';
import { watchAccess } from './access-watch.ts';
import { callMetrics } from './call-metrics.ts';

const id = (path: string, trustDomain = 'cluster.local') => must(parseSpiffeId(`spiffe://${trustDomain}/ns/${path}`));
const [orders, web] = [id('shop/orders'), id('front/web')];
const rule = { kind: 'rule', name: 'shop/orders/no' } as const;
const DENIED: Verdict = { kind: 'deny', by: rule };
const ALLOWED: Verdict = { kind: 'allow', by: { kind: 'rule', name: 'shop/orders/yes' } };
const AUDITED: Verdict = { ...ALLOWED, auditDeniedBy: rule };

function callOf(caller = web, path = '/orders/7'): Call {
  const canonical = must(canonicalPath(path));
  const parts = { target: orders, caller, method: 'GET', path: canonical, query: 'secret=1', headers: ['cookie', 'x'] };
  return { kind: 'http', ...parts, bodyBytes: 0, deadlineMs: undefined, hops: 1 };
}

let clock: ManualClock;
let lines: string[];
let metrics: ReturnType<typeof callMetrics>;
beforeEach(() => {
  [clock, lines, metrics] = [manualClock(), [], callMetrics('test')];
});

function watchAt(level: LogLevel) {
  const log = createLog({ level, format: 'json', write: (line) => void lines.push(line), now: () => 0 });
  return watchAccess(orders, metrics, log, clock);
}

const counted = (name: string) =>
  metrics
    .render()
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`));

describe('a call that is denied', () => {
  test('is counted by the other side and by what decided', () => {
    const watch = watchAt('info');
    watch.judged('inbound', callOf(), DENIED);
    watch.judged('inbound', callOf(), DENIED);
    watch.judged('inbound', callOf(id('front/web', 'other.example')), DENIED);
    watch.judged('outbound', callOf(), DENIED);
    expect(counted('invoke_access_denied_total')).toEqual([
      'invoke_access_denied_total{direction="inbound",peer="web.front",rule="shop/orders/no"} 2',
      'invoke_access_denied_total{direction="inbound",peer="web.front of other.example",rule="shop/orders/no"} 1',
      'invoke_access_denied_total{direction="outbound",peer="orders.shop",rule="shop/orders/no"} 1',
    ]);
  });

  test('has a line that `invokectl policy learn` reads, and that holds no query and no header', () => {
    watchAt('info').judged('inbound', callOf(), DENIED);
    const [line = ''] = lines;
    expect(must(readDecisionLine(line))).toMatchObject({
      target: { app: 'orders' },
      caller: web,
      call: { method: 'GET' },
    });
    expect(JSON.parse(line)).toMatchObject({ level: 'info', verdict: 'deny', by: 'shop/orders/no', path: '/orders/7' });
    expect(line).not.toMatch(/secret|cookie/);
  });

  test('is one of ten a second at most that have a line, which says how many had none; long paths are cut', () => {
    const watch = watchAt('info');
    for (let i = 0; i < 1000; i++) watch.judged('inbound', callOf(web, `/${'x'.repeat(60_000)}`), DENIED);
    expect(lines).toHaveLength(10);
    expect(lines.join('').length).toBeLessThan(40_000);
    clock.advance(1000);
    watch.judged('inbound', callOf(), DENIED);
    expect(JSON.parse(lines[10] ?? '')).toMatchObject({ unlogged: 990 });
  });
});

test('a call that only a policy in audit mode would deny is counted and logged as that', () => {
  watchAt('info').judged('inbound', callOf(), AUDITED);
  expect(counted('invoke_access_audit_denied_total')).toEqual([
    'invoke_access_audit_denied_total{peer="web.front",rule="shop/orders/no"} 1',
  ]);
  expect(counted('invoke_access_denied_total')).toEqual([]);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ verdict: 'allow', auditDeniedBy: 'shop/orders/no' });
});

test('a call that is allowed has a line where debug is asked for, and none otherwise', () => {
  watchAt('info').judged('inbound', callOf(), ALLOWED);
  expect(lines).toEqual([]);
  watchAt('debug').judged('inbound', callOf(), ALLOWED);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'debug', verdict: 'allow', by: 'shop/orders/yes' });
});
