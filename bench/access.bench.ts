// What a decision costs where a thousand rules protect one app: `node bench/access.bench.ts`. The promise is under 5 µs, but for
// paths that are made to be read in many ways, and for the first call of a connection, which pays for finding the rules about its
// caller. CPU of this process, the median of the rounds; beside it the same found by looking at every rule.
import { cpuUsage } from 'node:process';
import type { AccessCall } from '../policy/access/call.ts';
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
  'all but one literal, deep': worldOf((i) => ({
    to: [
      {
        methods: ['GET'],
        paths: [
          `/${binary(i)
            .map((bit, n) => (bit ? 'v1' : `{x${n}}`))
            .join('/')}/none`,
        ],
      },
    ],
  })),
  'patterns of gRPC': worldOf((i) => ({ to: [{ grpc: [`*.Things${i}/*`, `shop.*/Get${i}*`] }] })),
} satisfies Record<string, readonly PlacedPolicy[]>;

const CALLS = {
  allowed: webReads('/v1/things-500/7'),
  'no rule': webReads('/v2/none/7'),
  'encoded slash': webReads('/v1/things-500%2F7'),
  'slash and semicolon': webReads('/v1/things-500%2F7;x=1'),
  'ten segments': webReads(`/${Array.from({ length: 10 }, () => 'v1').join('/')}/some`),
  gRPC: call(identity('web.front'), 'GRPC /shop.Things500/List'),
  'read in many ways': webReads('/v1/%2561%2F%5C%252F%255C;x%3Fy%3Bz/q'),
};
const PROMISED = new Set<AccessCall>([
  CALLS.allowed,
  CALLS['no rule'],
  CALLS['encoded slash'],
  CALLS['ten segments'],
  CALLS.gRPC,
]);

for (const [title, policies] of Object.entries(cases)) {
  const rules = compileAccess({ own, policies, defaults });
  for (const [what, asked] of Object.entries(CALLS)) {
    const micros = median(Array.from({ length: ROUNDS }, () => microsOf(DECISIONS, () => decide(rules, asked))));
    const naive = microsOf(20, () => referenceOutcome(own, policies, defaults, asked, 'enforce'));
    const kept =
      micros < PROMISED_MICROS || !PROMISED.has(asked) ? '' : `   over the ${PROMISED_MICROS} µs that are promised`;
    console.log(`${title}, ${what}`.padEnd(56), `${micros.toFixed(2)} µs, one by one ${naive.toFixed(0)} µs${kept}`);
  }
  const others = Array.from({ length: DECISIONS }, () => call(identity('web.front'), 'GET /v1/things-500/7'));
  let next = 0;
  const first = microsOf(others.length, () => decide(rules, others[next++] ?? CALLS.allowed));
  console.log(`${title}, first of a connection`.padEnd(56), `${first.toFixed(2)} µs`);
}

/** Ten bits. */
function binary(i: number): readonly boolean[] {
  return Array.from({ length: 10 }, (_, bit) => (i & (1 << bit)) !== 0);
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
