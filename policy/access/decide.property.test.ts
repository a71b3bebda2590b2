// What holds for whatever policies and calls: the index agrees with a naive reading of the same words, and the set of policies
// behaves as a set.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccessCall } from './call.ts';
import { type AccessDefaults, compileAccess } from './compile.ts';
import { decide } from './decide.ts';
import type { PlacedPolicy } from './rule.ts';
import { anyCall, anyDefaults, anyPolicies, anyPolicy, identity } from './testing/policies.ts';
import { referenceOutcome } from './testing/reference.ts';

const own = identity('orders.shop');
const POLICY_SETS = 2500;
const CALLS_EACH = 40;
/** Seconds on a machine of its own; on a busy one no verdict rests on them. */
const PATIENCE_MS = 300_000;

function decider(policies: readonly PlacedPolicy[], defaults: AccessDefaults) {
  const rules = compileAccess({ own, policies, defaults });
  return (call: AccessCall) => decide(rules, call);
}

const calls = (many: number) => fc.array(anyCall, { minLength: many, maxLength: many });

test(
  'a hundred thousand calls fare as a plain reading of the same words has it',
  () => {
    const seen = new Map<string, number>();
    const note = (key: string) => seen.set(key, (seen.get(key) ?? 0) + 1);
    fc.assert(
      fc.property(anyPolicies, anyDefaults, calls(CALLS_EACH), (policies, defaults, asked) => {
        const decideThis = decider(policies, defaults);
        for (const call of asked) {
          const verdict = decideThis(call);
          const audited = verdict.auditDeniedBy === undefined ? 'allow' : 'deny';
          const expected = [
            referenceOutcome(own, policies, defaults, call, 'enforce'),
            referenceAudit(policies, defaults, call),
          ];
          // To expect something costs more than to decide: that is left to those that differ.
          if (verdict.kind !== expected[0] || audited !== expected[1])
            expect([verdict.kind, audited]).toEqual(expected);
          note(`${verdict.kind} by ${verdict.by.kind}`);
          note('asked');
        }
      }),
      { numRuns: POLICY_SETS },
    );
    expect(seen.get('asked')).toBeGreaterThanOrEqual(POLICY_SETS * CALLS_EACH);
    // A world in which nothing ever matched would prove little.
    for (const key of ['allow by rule', 'deny by rule', 'allow by default', 'deny by default']) {
      expect(seen.get(key), key).toBeGreaterThan((POLICY_SETS * CALLS_EACH) / 50);
    }
  },
  PATIENCE_MS,
);

/** Without a policy in audit mode that selects the app, nothing is audited. */
function referenceAudit(policies: readonly PlacedPolicy[], defaults: AccessDefaults, call: AccessCall) {
  const isAudited = policies.some(
    ({ spec, namespace }) =>
      spec.mode === 'audit' && namespace === own.namespace && (spec.apps ?? ['orders']).includes('orders'),
  );
  return isAudited ? referenceOutcome(own, policies, defaults, call, 'audit') : 'allow';
}

describe('whatever the policies', () => {
  const holds = (
    says: (policies: readonly PlacedPolicy[], defaults: AccessDefaults, call: AccessCall, other: PlacedPolicy) => void,
  ) =>
    fc.assert(
      fc.property(anyPolicies, anyDefaults, calls(10), anyPolicy, (policies, defaults, asked, other) => {
        for (const call of asked) says(policies, defaults, call, { ...other, name: 'other' });
      }),
      { numRuns: 500 },
    );

  test('the order of policies and rules means nothing, not even for what is reported', () => {
    holds((policies, defaults, call) => {
      const turned = policies
        .map((one) => ({ ...one, spec: { ...one.spec, rules: one.spec.rules.toReversed() } }))
        .toReversed();
      expect(decider(turned, defaults)(call)).toEqual(decider(policies, defaults)(call));
    });
  });

  test('one more rule that allows denies nothing', () => {
    holds((policies, defaults, call, other) => {
      const [first, ...rest] = policies;
      const rule = other.spec.rules[0];
      if (first === undefined || rule === undefined) return;
      const more = { ...rule, name: 'more', action: 'allow' as const };
      const grown = { ...first, spec: { ...first.spec, rules: [...first.spec.rules, more] } };
      if (decider(policies, defaults)(call).kind === 'deny') return;
      expect(decider([grown, ...rest], defaults)(call).kind).toBe('allow');
    });
  });

  test('one more rule that denies allows nothing', () => {
    holds((policies, defaults, call, other) => {
      const [first, ...rest] = policies;
      const rule = other.spec.rules[0];
      if (first === undefined || rule === undefined) return;
      const more = { ...rule, name: 'more', action: 'deny' as const };
      const grown = { ...first, spec: { ...first.spec, rules: [...first.spec.rules, more] } };
      if (decider(policies, defaults)(call).kind === 'allow') return;
      expect(decider([grown, ...rest], defaults)(call).kind).toBe('deny');
    });
  });

  test('a rule that denies matches whatever the same rule would allow, and no rule that allows saves the call', () => {
    holds((policies, defaults, call, other) => {
      const one = { ...other, namespace: 'shop', spec: { ...other.spec, apps: undefined, mode: 'enforce' as const } };
      const as = (action: 'allow' | 'deny') => ({
        ...one,
        spec: { ...one.spec, default: 'deny' as const, rules: one.spec.rules.map((rule) => ({ ...rule, action })) },
      });
      if (decider([as('allow')], defaults)(call).kind === 'deny') return;
      expect(decider([...policies, as('deny')], defaults)(call)).toMatchObject({ kind: 'deny', by: { kind: 'rule' } });
    });
  });

  test('a policy in audit mode changes no verdict', () => {
    holds((policies, defaults, call, other) => {
      const audit = { ...other, spec: { ...other.spec, mode: 'audit' as const } };
      const [before, after] = [decider(policies, defaults)(call), decider([...policies, audit], defaults)(call)];
      expect({ kind: after.kind, by: after.by }).toEqual({ kind: before.kind, by: before.by });
    });
  });

  test('a policy for other apps or of another namespace changes nothing', () => {
    holds((policies, defaults, call, other) => {
      const elsewhere = { ...other, namespace: 'front' };
      const others = { ...other, namespace: 'shop', spec: { ...other.spec, apps: ['stock'] } };
      expect(decider([...policies, elsewhere, others], defaults)(call)).toEqual(decider(policies, defaults)(call));
    });
  });
});
