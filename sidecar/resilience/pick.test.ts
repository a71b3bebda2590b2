// Who is next: everybody in turn, and those that turned a call away only when there is nobody else.
import { expect, test } from 'vitest';
import { manualClock } from '../../kit/testing/clock.ts';
import { identityOf } from '../testing/mesh.ts';
import { roundRobin } from './pick.ts';

function upstream(app: string, ...ports: readonly number[]) {
  return { target: identityOf(app), endpoints: () => ports.map((port) => ({ host: 'h', port })) };
}

const NONE: ReadonlySet<string> = new Set();

test('round robin takes turns per target', () => {
  const { pick } = roundRobin(manualClock());
  const orders = upstream('orders', 1, 2, 3);
  const turns = Array.from({ length: 6 }, () => pick(orders, NONE)?.port);
  expect(turns).toEqual([1, 2, 3, 1, 2, 3]);
  expect(pick(orders, new Set(['h:1', 'h:2', 'h:3']))).toBeUndefined();
});

test('an endpoint that turned a call away is passed over for five seconds, by the calls to that app', () => {
  const clock = manualClock();
  const { pick, avoid } = roundRobin(clock);
  const [orders, stock] = [upstream('orders', 1, 2), upstream('stock', 1, 2)];
  const next = (of: typeof orders, count: number) => Array.from({ length: count }, () => pick(of, NONE)?.port);
  avoid(orders, { host: 'h', port: 1 });
  expect(next(orders, 3)).toEqual([2, 2, 2]);
  expect(next(stock, 2)).toEqual([1, 2]);
  clock.advance(5000);
  expect(next(orders, 2).sort()).toEqual([1, 2]);
});

test('each endpoint is avoided for its own five seconds', () => {
  const clock = manualClock();
  const { pick, avoid } = roundRobin(clock);
  const orders = upstream('orders', 1, 2, 3);
  const next = () => [1, 2, 3, 4, 5, 6].map(() => pick(orders, NONE)?.port);
  avoid(orders, { host: 'h', port: 1 });
  clock.advance(3000);
  avoid(orders, { host: 'h', port: 2 });
  expect(new Set(next())).toEqual(new Set([3]));
  clock.advance(2000);
  expect(new Set(next())).toEqual(new Set([1, 3]));
  clock.advance(3000);
  expect(new Set(next())).toEqual(new Set([1, 2, 3]));
});

test('an endpoint that turned a call away is asked again where there is no other', () => {
  const { pick, avoid } = roundRobin(manualClock());
  const orders = upstream('orders', 1, 2);
  avoid(orders, { host: 'h', port: 1 });
  avoid(orders, { host: 'h', port: 2 });
  expect(pick(orders, NONE)).toBeDefined();
  expect(pick(orders, new Set(['h:1']))).toEqual({ host: 'h', port: 2 });
  expect(pick(orders, new Set(['h:1', 'h:2']))).toBeUndefined();
});
