// For tests: the decision table. Who asks for what, and what becomes of it by which ground.
import { expect, test } from 'vitest';
import { type AccessSources, compileAccess } from '../compile.ts';
import { decide } from '../decide.ts';
import { call, identity } from './policies.ts';

/** The app that is called. */
export const own = identity('orders.shop');

export type Row = readonly [caller: string, call: string, verdict: string];

export function table(sources: Partial<AccessSources>, rows: readonly Row[]): void {
  const rules = compileAccess({ own, policies: [], defaults: { installation: 'allow' }, ...sources });
  test.each(rows)('%s, %s: %s', (caller, asked, expected) => {
    const { kind, by, auditDeniedBy } = decide(rules, call(identity(caller), asked));
    const audit = auditDeniedBy === undefined ? '' : `, audit: ${auditDeniedBy.name}`;
    expect(`${kind} by ${by.name}${audit}`).toBe(expected);
  });
}

export const rule = (name: string, rest: object) => ({ name, ...rest });
export const everybody = [{ app: '*', namespace: '*' }];
