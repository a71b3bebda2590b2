// How often somebody may ask.
import { expect, test } from 'vitest';
import { manualClock } from '../kit/testing/clock.ts';
import { Limiter } from './limit.ts';

test('a burst is granted, then as much as the rate gives back, and never more than a burst', () => {
  const clock = manualClock();
  const limiter = new Limiter({ burst: 3, perSec: 0.5 }, 10, clock);
  const take = (times: number) => Array.from({ length: times }, () => limiter.take('pod'));
  expect(take(4)).toEqual(['granted', 'granted', 'granted', 'refused']);
  clock.advance(1999);
  expect(take(1)).toEqual(['refused-again']);
  clock.advance(1);
  expect(take(2)).toEqual(['granted', 'refused']);
  clock.advance(3_600_000);
  expect(take(4)).toEqual(['granted', 'granted', 'granted', 'refused']);
});

test('one who asks too often takes nothing from the others', () => {
  const limiter = new Limiter({ burst: 1, perSec: 1 }, 10, manualClock());
  expect([limiter.take('a'), limiter.take('a'), limiter.take('b')]).toEqual(['granted', 'refused', 'granted']);
});

test('the table forgets whoever asked longest ago', () => {
  const limiter = new Limiter({ burst: 1, perSec: 0 }, 2, manualClock());
  for (const key of ['a', 'b', 'a', 'c']) limiter.take(key);
  expect([limiter.take('a'), limiter.take('c')]).toEqual(['refused-again', 'refused']);
  expect(limiter.take('b')).toBe('granted');
});
