// What authorize decides and says where two sidecars of one mesh cannot show it.
import { expect, test } from 'vitest';
import type { Call } from '../../api/call.ts';
import { type Identity, parseSpiffeId } from '../../api/ids.ts';
import { canonicalPath } from '../../api/path.ts';
import { must } from '../../kit/result.ts';
import { snapshot } from '../../kit/snapshot.ts';
import type { Verdict } from '../../policy/access/verdict.ts';
import { compile } from './access.ts';
import { Authorizer } from './authorize.ts';
import { type AccessResources, EVERYBODY_MAY } from './resources.ts';

const id = (path: string, trustDomain = 'cluster.local') => must(parseSpiffeId(`spiffe://${trustDomain}/ns/${path}`));
const orders = id('shop/orders');
const closed: AccessResources = { ...EVERYBODY_MAY, installation: 'deny' };

function callOf(caller: Identity, target = orders): Call {
  const path = must(canonicalPath('/x'));
  return {
    kind: 'http',
    target,
    caller,
    method: 'GET',
    path,
    query: '',
    headers: [],
    bodyBytes: 0,
    deadlineMs: undefined,
    hops: 1,
  };
}

function judging(resources: AccessResources, own = orders, isEachTold = false) {
  const verdicts: Verdict[] = [];
  const judged = (_direction: string, _call: Call, verdict: Verdict) => void verdicts.push(verdict);
  return { authorizer: new Authorizer(own, snapshot(compile(resources, own, isEachTold)), { judged }), verdicts };
}

test('a caller of another trust domain is denied without a word of what is called how here', () => {
  const { authorizer } = judging(closed);
  const words = (caller: Identity) => {
    const judged = authorizer.enter(callOf(caller));
    return judged.kind === 'denied' ? judged.fault.message : 'let in';
  };
  expect(words(id('shop/orders', 'other.example'))).toBe(
    'orders.shop does not let in this call of spiffe://other.example/ns/shop/orders.',
  );
  expect(words(id('front/web'))).toContain('the default of the installation');
});

test('a namespace of the same name in another trust domain does not pass for the own one', () => {
  const namespaces = [{ namespace: 'shop', access: { callableFrom: [] } }];
  const { authorizer } = judging({ ...EVERYBODY_MAY, namespaces });
  expect(authorizer.enter(callOf(id('shop/web'))).kind).toBe('http');
  expect(authorizer.enter(callOf(id('shop/web', 'other.example'))).kind).toBe('denied');
});

test('where no policy narrows anything, nobody hears of a call, unless each is to be told', () => {
  const quiet = judging(EVERYBODY_MAY);
  const call = callOf(id('front/web'));
  expect(quiet.authorizer.enter(call)).toBe(call);
  expect(quiet.verdicts).toEqual([]);
  const told = judging(EVERYBODY_MAY, orders, true);
  expect(told.authorizer.enter(call)).toBe(call);
  expect(told.verdicts).toMatchObject([{ kind: 'allow', by: { name: 'default of the installation' } }]);
});

test('where the fence of who is called is known, as on a laptop, the side of the caller holds it', () => {
  const namespaces = [{ namespace: 'shop', access: { callableFrom: [{ namespace: 'front' }] } }];
  const web = judging({ ...EVERYBODY_MAY, namespaces }, id('front/web')).authorizer;
  const lab = judging({ ...EVERYBODY_MAY, namespaces }, id('lab/web')).authorizer;
  expect(web.leave(callOf(id('front/web'))).kind).toBe('http');
  const denied = lab.leave(callOf(id('lab/web')));
  expect(denied.kind === 'denied' && denied.fault.message).toContain('callableFrom of namespace shop');
});

test('an own fence that cannot be read lets no call leave the namespace', () => {
  const namespaces = [{ namespace: 'front', access: undefined, reason: 'it is no object' }];
  const { authorizer, verdicts } = judging({ ...EVERYBODY_MAY, namespaces }, id('front/web'));
  expect(authorizer.leave(callOf(id('front/web'))).kind).toBe('denied');
  expect(authorizer.leave(callOf(id('front/web'), id('front/shop'))).kind).toBe('http');
  expect(verdicts).toMatchObject([{ kind: 'deny', by: { kind: 'unreadable' } }]);
});
