// A value or the reason why there is none.
import { expect, test } from 'vitest';
import { err, must, ok } from './result.ts';

test('must gives the value, and names the failure that was thought impossible', () => {
  expect(must(ok(7))).toBe(7);
  expect(() => must(err('no such file'))).toThrow('no such file');
});
