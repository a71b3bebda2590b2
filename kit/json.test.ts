// JSON is read, and what is none is refused without a throw.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson } from './json.ts';

test('what was written as JSON is read as it was', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(parseJson(text)).toEqual({ ok: true, value: JSON.parse(text) });
    }),
  );
});

test.each(['', '{', '{"a":1}}', "{'a':1}", 'undefined'])('%j is none', (text) => {
  expect(parseJson(text)).toEqual({ ok: false, error: expect.stringContaining('JSON') });
});
