// What strangers cause is logged once a second, and what was left out is counted.
import { expect, test } from 'vitest';
import type { LogFields } from './log.ts';
import { SeldomLine } from './log-seldom.ts';

test('one line a second, which says how many there would have been since the last', () => {
  const said: LogFields[] = [];
  let nowMs = 0;
  const line = new SeldomLine({ elapsed: () => nowMs }, (fields) => void said.push(fields));
  for (const atMs of [0, 1, 999, 1000, 1001, 5000, 6000]) {
    nowMs = atMs;
    line.say({ atMs });
  }
  expect(said).toEqual([
    { atMs: 0, unlogged: 0 },
    { atMs: 1000, unlogged: 2 },
    { atMs: 5000, unlogged: 1 },
    { atMs: 6000, unlogged: 0 },
  ]);
});
