// What a decision costs where a thousand rules protect one app: `node bench/access.bench.ts`. The promise is under 5 µs for a
// path that can be read in one way alone. CPU of this process, the median of the rounds; beside it the same found by looking at
// every rule.
import { cpuUsage } from 'node:process';
import { compileAccess } from '../policy/access/compile.ts';
import { decide } from '../policy/access/decide.ts';
import type { PlacedPolicy } from '../policy/access/rule.ts';
import { call, identity, policy } from '../policy/access/testing/policies.ts';
import { referenceOutcome } from '../policy/access/testing/reference.ts';

const RULES = 1000;
const POLICIES = 10;
const ROUNDS = 15;
const DECISIONS = 20_000;
const PROMISED_MICROS = 5;

const own = identity('orders.shop');
const defaults = { installation: 'allow' } as const;

const webReads = (path: string) => call(identity('web.front'), `GET ${path}`);

const cases = {
  'callers and paths of their own': worldOf((i) => ({
    from: [
      { app: `app-${i % 50}`, namespace: `team-${i % 20}` },
      { app: 'web', namespace: 'front' },
    ],
    to: [{ methods: ['GET'], paths: [`/v1/things-${i}/{id}`] }],
  })),
  'one path, callers of their own': worldOf((i) => ({
    from: [{ app: i === 0 ? 'web' : `app-${i}`, namespace: 'front' }],
    to: [{ paths: ['/v1/things-500/{id}'] }],
  })),
  'patterns of callers': worldOf((i) => ({
    from: [{ app: '*', namespace: i === 0 ? '*' : `*-${i}` }],
    to: [{ paths: ['/v1/**'] }],
  })),
  'a tenth denies': worldOf((i) => ({
    action: i % 10 === 1 ? 'deny' : 'allow',
    to: [{ methods: ['GET', 'PUT'], paths: [`/v1/things-${i}/{id}`, `/v1/things-${i}/**`] }],
  })),
} satisfies Record<string, readonly PlacedPolicy[]>;

const CALLS = {
  allowed: webReads('/v1/things-500/7'),
  'no rule': webReads('/v2/none/7'),
  'encoded slash': webReads('/v1/things-500%2F7;x=1'),
};

for (const [title, policies] of Object.entries(cases)) {
  const rules = compileAccess({ own, policies, defaults });
  for (const [what, asked] of Object.entries(CALLS)) {
    const micros = median(Array.from({ length: ROUNDS }, () => microsOf(DECISIONS, () => decide(rules, asked))));
    const naive = microsOf(50, () => referenceOutcome(own, policies, defaults, asked, 'enforce'));
    const isPromised = asked !== CALLS['encoded slash'];
    const kept = micros < PROMISED_MICROS || !isPromised ? '' : `   over the ${PROMISED_MICROS} µs that are promised`;
    console.log(`${title}, ${what}`.padEnd(56), `${micros.toFixed(2)} µs, one by one ${naive.toFixed(0)} µs${kept}`);
  }
}

function worldOf(rule: (i: number) => object): readonly PlacedPolicy[] {
  return Array.from({ length: POLICIES }, (_, at) => {
    const rules = Array.from({ length: RULES / POLICIES }, (_, nth) => {
      const i = at * (RULES / POLICIES) + nth;
      return { name: `rule-${i}`, ...rule(i) };
    });
    return policy({ rules }, `policy-${at}`);
  });
}

function microsOf(times: number, work: () => unknown): number {
  const before = cpuUsage();
  let results = 0;
  for (let i = 0; i < times; i++) if (work() !== undefined) results++;
  const { user, system } = cpuUsage(before);
  if (results !== times) throw new Error('the work came to nothing');
  return (user + system) / times;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
