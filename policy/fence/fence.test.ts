// Both ends of the fence: who may call in, who may be called, and that the two agree.
import { describe, expect, test } from 'vitest';
import { identity } from '../access/testing/policies.ts';
import { barredFrom, compileFence, compileWayOut, mayEnter, mayLeave } from './fence.ts';

const own = identity('orders.shop');

describe('the caller asks whether a call may leave', () => {
  const front = compileWayOut('front', [{ namespace: 'shared-*', app: 'auth' }, { namespace: 'shop' }]);
  test.each([
    ['orders.shop', true],
    ['stock.shop', true],
    ['auth.shared-eu', true],
    ['mail.shared-eu', false],
    ['auth.shared', false],
    ['web.front', true],
    ['web.back', false],
  ])('from front to %s: %s', (target, isAllowed) => {
    expect(mayLeave(front, identity(target))).toBe(isAllowed);
  });

  test('without a list anywhere, and with an empty one nowhere but at home', () => {
    expect(mayLeave(compileWayOut('front', undefined), own)).toBe(true);
    expect(mayLeave(compileWayOut('front', []), own)).toBe(false);
    expect(mayLeave(compileWayOut('shop', []), own)).toBe(true);
  });
});

describe('the callee asks whether a caller may enter', () => {
  test('who is kept out is told by which list', () => {
    const fence = compileFence({ callableFrom: [{ namespace: 'front' }], barred: ['front'] }, own);
    expect(mayEnter(fence, identity('web.front'))).toBe('mayCall');
    expect(mayEnter(fence, identity('web.back'))).toBe('callableFrom');
    expect(mayEnter(fence, identity('web.shop'))).toBeUndefined();
  });

  test('an app or a namespace may be listed more than once', () => {
    const callableFrom = [{ namespace: 'front', app: 'web' }, { namespace: 'fr*' }, { namespace: 'front', app: 'web' }];
    const fence = compileFence({ callableFrom }, own);
    expect(mayEnter(fence, identity('api.front'))).toBeUndefined();
    expect(mayEnter(fence, identity('web.front'))).toBeUndefined();
    expect(mayEnter(fence, identity('web.back'))).toBe('callableFrom');
  });
});

test('what one end refuses the other refuses, too', () => {
  const waysOut = [
    compileWayOut('front', [{ namespace: 'shop', app: 'orders' }]),
    compileWayOut('back', []),
    compileWayOut('shop', []),
    compileWayOut('open', undefined),
  ];
  for (const target of [own, identity('stock.shop')]) {
    const fence = compileFence({ barred: barredFrom(target, waysOut) }, target);
    for (const wayOut of waysOut) {
      const leaves = mayLeave(wayOut, target);
      expect(
        mayEnter(fence, identity(`web.${wayOut.namespace}`)) === undefined,
        `${wayOut.namespace} to ${target.app}`,
      ).toBe(leaves);
    }
  }
});
