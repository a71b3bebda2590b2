// What is kept of callers goes with them: one that connects again and again piles up nothing.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { compileAccess } from './compile.ts';
import { decide } from './decide.ts';
import { call, identity, policy } from './testing/policies.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

test('the rules forget a caller whose connection is gone', async () => {
  const rules = compileAccess({
    own: identity('orders.shop'),
    policies: [policy({ rules: [{ name: 'all', from: [{ app: 'web', namespace: 'front' }] }] })],
    defaults: { installation: 'deny' },
  });
  const connectOnce = () => {
    const caller = identity('web.front');
    expect(decide(rules, call(caller, 'GET /')).kind).toBe('allow');
    return new WeakRef(caller);
  };
  const callers = Array.from({ length: 100 }, connectOnce);
  // A reference that was just made keeps what it refers to until the turn is over.
  await new Promise(setImmediate);
  if (typeof collectGarbage === 'function') collectGarbage();
  expect(callers.filter((caller) => caller.deref() !== undefined)).toEqual([]);
  // The rules themselves are still in use.
  expect(decide(rules, call(identity('web.front'), 'GET /')).kind).toBe('allow');
});
