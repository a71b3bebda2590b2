// What one namespace may ask of a replica, on a clock that is set by hand.
import { expect, test } from 'vitest';
import { parseNamespace } from '../../api/ids.ts';
import { must } from '../../kit/result.ts';
import { manualClock } from '../../kit/testing/clock.ts';
import { allowances, NAMED_AT_ONCE, NAMED_PER_SEC, WANTED_MAX } from './allowance.ts';

const [shop, bank] = [must(parseNamespace('shop')), must(parseNamespace('bank'))];

test('a namespace has so many apps wanted at once, and what it lets go of it may want again', () => {
  const of = allowances(manualClock());
  expect(of(shop).want(0, WANTED_MAX)).toBe(true);
  expect(of(shop).want(0, 1)).toBe(false);
  expect(of(bank).want(0, 1)).toBe(true);
  expect(of(shop).want(1000, 999)).toBe(true);
  expect(of(shop).want(0, 1)).toBe(true);
  expect(of(shop).want(0, 1)).toBe(false);
});

test('who names many at once waits before it is read again, as long as it takes to gather them', () => {
  const clock = manualClock();
  const of = allowances(clock);
  of(shop).charge(NAMED_AT_ONCE, 0);
  expect(of(shop).waitMs()).toBe(0);
  of(shop).charge(NAMED_PER_SEC, 0);
  expect([of(shop).waitMs(), of(bank).waitMs()]).toEqual([1000, 0]);
  clock.advance(999);
  expect(of(shop).waitMs()).toBeGreaterThan(0);
  clock.advance(1);
  expect(of(shop).waitMs()).toBe(0);
  clock.advance(3_600_000);
  of(shop).charge(NAMED_AT_ONCE, 0);
  expect(of(shop).waitMs()).toBe(0);
  of(shop).charge(0, 128);
  expect(of(shop).waitMs()).toBeGreaterThan(0);
});
