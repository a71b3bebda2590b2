// Gathering a body: all of it, in order, and never more than the limit.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GatheredBytes } from './gathered-bytes.ts';

test('what was pushed comes out whole, however it was cut', () => {
  const pieces = fc.array(
    fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(pieces, (chunks) => {
      const gathered = new GatheredBytes(Number.POSITIVE_INFINITY);
      for (const chunk of chunks) expect(gathered.push(chunk)).toBe(true);
      const all = Buffer.concat(chunks);
      expect(gathered.length).toBe(all.length);
      expect(gathered.take().equals(all)).toBe(true);
      expect(gathered.length).toBe(0);
    }),
  );
});

test('the limit is the last byte that is taken; what goes past it changes nothing', () => {
  const gathered = new GatheredBytes(10_000);
  expect(gathered.push(Buffer.alloc(9_999, 'a'))).toBe(true);
  expect(gathered.push(Buffer.from('bc'))).toBe(false);
  expect(gathered.push(Buffer.from('b'))).toBe(true);
  expect(gathered.push(Buffer.from('c'))).toBe(false);
  expect(gathered.take().toString()).toBe(`${'a'.repeat(9_999)}b`);
});
