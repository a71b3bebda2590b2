// Which clause comes first, where many have much in common: against looking at one after another.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addBit, NONE, newBits } from '../match/bits.ts';
import { type HttpClause, HttpIndex } from './http-index.ts';

const anyStep = fc.constantFrom(undefined, 'a', 'b');
const anyClause: fc.Arbitrary<HttpClause> = fc
  .tuple(
    fc.array(anyStep, { maxLength: 3 }),
    fc.boolean(),
    fc.boolean(),
    fc.option(fc.uniqueArray(fc.constantFrom('GET', 'PUT')), { nil: undefined }),
  )
  .map(([steps, endsInSlash, isOpen, methods]) => ({
    rank: 0,
    methods: methods && new Set(methods),
    template: { steps: endsInSlash && !isOpen ? [...steps, ''] : steps, isOpen },
  }));
const anyWorld = fc.record({
  clauses: fc.array(anyClause, { maxLength: 100 }),
  wanted: fc.array(fc.boolean(), { minLength: 100, maxLength: 100 }),
  segments: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 5 }),
  endsInSlash: fc.boolean(),
  method: fc.constantFrom('GET', 'PUT', 'POST'),
});

test('the first clause that fits is found, whatever the others are', () => {
  fc.assert(
    fc.property(anyWorld, ({ clauses, wanted, segments, endsInSlash, method }) => {
      const path = endsInSlash ? [...segments, ''] : segments;
      const first = clauses.findIndex((clause, i) => wanted[i] && fits(clause, method, path));
      const bits = newBits(clauses.length);
      for (const number of clauses.keys()) if (wanted[number]) addBit(bits, number);
      const index = new HttpIndex(clauses.map((clause, rank) => ({ ...clause, rank })));
      expect(index.first(bits, method, path)).toBe(first < 0 ? NONE : first);
      expect(index.first(bits, method, path.slice(0, index.segmentsNeeded))).toBe(first < 0 ? NONE : first);
    }),
    { numRuns: 2000 },
  );
});

function fits({ methods, template: { steps, isOpen } }: HttpClause, method: string, path: readonly string[]): boolean {
  if (methods?.has(method) === false || path.length < steps.length) return false;
  if (!isOpen && path.length !== steps.length) return false;
  return steps.every((step, i) => (step === undefined ? path[i] !== '' : path[i] === step));
}

test('the rank that is found is that of the rule, which may have several clauses', () => {
  const clause = (rank: number, ...steps: string[]) => ({
    rank,
    methods: undefined,
    template: { steps, isOpen: false },
  });
  const index = new HttpIndex([clause(3, 'a'), clause(3, 'b'), clause(7, 'b'), clause(7, 'c')]);
  const all = newBits(4);
  for (const number of [0, 1, 2, 3]) addBit(all, number);
  expect(['a', 'b', 'c', 'd'].map((segment) => index.first(all, 'GET', [segment]))).toEqual([3, 3, 7, NONE]);
});
