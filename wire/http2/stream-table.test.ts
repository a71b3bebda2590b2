// Property test of the table of streams, with a Map as oracle.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamTable, type Tabled } from './stream-table.ts';

class Exchange implements Tabled<Exchange> {
  readonly id: number;
  nextInTable: Exchange | undefined;

  constructor(id: number) {
    this.id = id;
  }
}

test('a table finds those that were added and not deleted, as a Map does, however many share a bucket', () => {
  const place = fc.oneof(fc.nat(40), fc.nat(2 ** 30 - 1));
  fc.assert(
    fc.property(fc.array(place, { maxLength: 200 }), (places) => {
      const [table, map] = [new StreamTable<Exchange>(), new Map<number, Exchange>()];
      for (const place of places) {
        const id = 2 * place + 1;
        const known = map.get(id);
        expect(table.get(id)).toBe(known);
        if (known === undefined) {
          const exchange = new Exchange(id);
          map.set(id, exchange);
          table.add(exchange);
        } else {
          map.delete(id);
          table.delete(known);
        }
        expect(table.size).toBe(map.size);
      }
      expect(table.list().map(({ id }) => id)).toEqual([...map.keys()].sort((a, b) => a - b));
    }),
  );
});

test('one that is gone leads to no other, and is not taken out twice', () => {
  const table = new StreamTable<Exchange>();
  // These share a bucket.
  const [first, second, third] = [new Exchange(1), new Exchange(1 + 2 * 1024), new Exchange(1 + 4 * 1024)];
  for (const exchange of [first, second, third]) table.add(exchange);
  table.delete(second);
  table.delete(third);
  table.delete(third);
  expect([second.nextInTable, third.nextInTable]).toEqual([undefined, undefined]);
  expect(table.list()).toEqual([first]);
});
