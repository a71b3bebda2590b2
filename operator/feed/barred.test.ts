// Which namespaces may not call an app: the same as what each caller's own sidecar finds.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSpiffeId } from '../../api/ids.ts';
import type { NamespacePolicy } from '../../api/resources/namespace-policy.ts';
import { must } from '../../kit/result.ts';
import { compileWayOut, mayLeave } from '../../policy/fence/fence.ts';
import { barredNamespaces } from './barred.ts';

const orders = must(parseSpiffeId('spiffe://cluster.local/ns/shop/orders'));

function policy(name: string, mayCall?: NamespacePolicy['spec']['mayCall']): NamespacePolicy {
  return { metadata: { name }, spec: { directTraffic: 'allow', ...(mayCall && { mayCall }) } };
}

test('they are the namespaces whose own list does not have it, in order, and never its own', () => {
  const policies = [
    policy('web', [{ namespace: 'front' }]),
    policy('front', [{ namespace: 'sh*', app: 'ord*' }]),
    policy('bank', []),
    policy('lab'),
    policy('shop', []),
  ];
  expect(barredNamespaces(policies, orders)).toEqual(['bank', 'web']);
});

test('a list that nobody can read names nobody', () => {
  const broken: NamespacePolicy = JSON.parse('{"metadata":{"name":"lab"},"spec":{"mayCall":[{"zone":"of tomorrow"}]}}');
  const bare: NamespacePolicy = JSON.parse('{"metadata":{"name":"bare"}}');
  expect(barredNamespaces([broken, bare], orders)).toEqual(['lab']);
});

test("callers' own sidecars find the same", () => {
  const name = fc.constantFrom('shop', 'front', 'bank', 'sh*', '*', 'orders', 'o*s', 'cart');
  const item = fc.record({ namespace: name, app: name }, { requiredKeys: ['namespace'] });
  const anyPolicy = fc.tuple(fc.constantFrom('shop', 'front', 'bank'), fc.option(fc.array(item, { maxLength: 3 })));
  fc.assert(
    fc.property(fc.uniqueArray(anyPolicy, { selector: ([namespace]) => namespace }), (pairs) => {
      const policies = pairs.map(([namespace, mayCall]) => policy(namespace, mayCall ?? undefined));
      const kept = pairs.filter(([namespace, list]) => !mayLeave(compileWayOut(namespace, list ?? undefined), orders));
      expect(barredNamespaces(policies, orders)).toEqual(kept.map(([namespace]) => namespace).toSorted());
    }),
  );
});
