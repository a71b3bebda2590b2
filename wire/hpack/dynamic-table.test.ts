// The ring, against the list that the RFC describes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DynamicTable, entryBytes, type TableEntry } from './dynamic-table.ts';

type Step = { readonly insert: TableEntry } | { readonly resize: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ insert: fc.record({ name: fc.string(), value: fc.string({ maxLength: 90 }) }) }),
    },
    { weight: 1, arbitrary: fc.record({ resize: fc.nat(4096) }) },
  ),
  { maxLength: 200 },
);

/** The table as the RFC describes it: a list, newest first. */
function follow(list: readonly TableEntry[], bytesMax: number): TableEntry[] {
  const kept = [...list];
  const bytes = () => kept.reduce((sum, { name, value }) => sum + entryBytes(name, value), 0);
  while (bytes() > bytesMax) kept.pop();
  return kept;
}

test('it holds what a list of that many bytes would, in the same order, and tells what it evicts', () => {
  fc.assert(
    fc.property(steps, fc.nat(4096), (taken, firstBytesMax) => {
      const evicted: TableEntry[] = [];
      const table = new DynamicTable<TableEntry>(firstBytesMax, (entry) => evicted.push(entry));
      let list: TableEntry[] = [];
      let bytesMax = firstBytesMax;
      let refused = 0;
      for (const step of taken) {
        if ('resize' in step) {
          bytesMax = step.resize;
          table.resize(bytesMax);
          list = follow(list, bytesMax);
        } else {
          table.insert(step.insert);
          list = follow([step.insert, ...list], bytesMax);
          if (list.length === 0) refused++;
        }
        expect(Array.from({ length: table.count }, (_, index) => table.entry(index))).toEqual(list);
        expect(table.entry(table.count)).toBeUndefined();
        expect(table.bytes).toBe(list.reduce((sum, { name, value }) => sum + entryBytes(name, value), 0));
      }
      const inserted = taken.filter((step) => 'insert' in step).length;
      expect(evicted.length).toBe(inserted - refused - list.length);
    }),
  );
});

test('every change moves the generation', () => {
  const table = new DynamicTable<TableEntry>(100);
  const seen = new Set([table.generation]);
  table.insert({ name: 'a', value: 'b' });
  seen.add(table.generation);
  // Larger than the table: it empties it.
  table.insert({ name: 'a', value: 'b'.repeat(100) });
  seen.add(table.generation);
  table.resize(100);
  seen.add(table.generation);
  expect(seen.size).toBe(4);
  expect(table.count).toBe(0);
});

test('an index that no entry has is answered with nothing', () => {
  const table = new DynamicTable<TableEntry>(4096);
  expect(table.entry(0)).toBeUndefined();
  table.insert({ name: 'a', value: 'b' });
  expect(table.entry(1)).toBeUndefined();
  expect(table.entry(2 ** 27)).toBeUndefined();
});
