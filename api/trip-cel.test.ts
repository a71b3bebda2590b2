// Our reading of `trip` against a library that reads the whole of CEL: what ours takes means the same there (docs/adr/0018).
import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { runs } from '../kit/testing/runs.ts';
import { type Counts, parseTrip, TRIP_WORDS } from './trip.ts';

const cel = new Environment();
for (const word of TRIP_WORDS) cel.registerVariable(word, 'int');

/** What cannot be worked out leaves a breaker closed. */
function asCel(text: string, counts: Counts): boolean {
  try {
    const integers = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, BigInt(count)]));
    return cel.evaluate(text, integers) === true;
  } catch {
    return false;
  }
}

// Numbers are small, so that products of some of them are still exact in both.
const { whole, condition } = fc.letrec<Record<'whole' | 'decimal' | 'condition', string>>((tie) => {
  const pair = (kind: 'whole' | 'decimal' | 'condition', ...signs: string[]) =>
    fc.tuple(tie(kind), fc.constantFrom(...signs), tie(kind)).map(([a, sign, b]) => `(${a} ${sign} ${b})`);
  const compared = ['<', '<=', '>', '>='];
  return {
    whole: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(...TRIP_WORDS),
      fc.nat(9).map(String),
      pair('whole', '+', '-', '*', '/', '%'),
      tie('whole').map((a) => `-(${a})`),
      tie('decimal').map((a) => `int(${a})`),
    ),
    decimal: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('0.0', '0.5', '2.25'),
      tie('whole').map((a) => `double(${a})`),
      pair('decimal', '+', '-', '*', '/'),
    ),
    condition: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('true', 'false'),
      pair('whole', ...compared, '==', '!='),
      pair('decimal', ...compared, '==', '!='),
      fc.tuple(tie('whole'), fc.constantFrom(...compared), tie('decimal')).map(([a, sign, b]) => `(${a} ${sign} ${b})`),
      pair('condition', '&&', '||', '==', '!='),
      tie('condition').map((a) => `!${a}`),
      fc.tuple(tie('condition'), tie('condition'), tie('condition')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    ),
  };
});

const counts: fc.Arbitrary<Counts> = fc.record({
  ...{ requests: fc.nat(20), totalSuccesses: fc.nat(20), totalFailures: fc.nat(20) },
  ...{ consecutiveSuccesses: fc.nat(20), consecutiveFailures: fc.nat(20) },
});

test('what is read says the same as CEL', () => {
  fc.assert(
    fc.property(condition, counts, (text, now) => {
      expect(must(parseTrip(text))(now)).toBe(asCel(text, now));
    }),
    runs(2000),
  );
});

test('what CEL refuses for its types is refused', () => {
  fc.assert(
    fc.property(whole, fc.constantFrom('+', '-', '*', '/'), (a, sign) => {
      const text = `${a} ${sign} 0.5 > 1.0`;
      expect([parseTrip(text).ok, cel.check(text).valid]).toEqual([false, false]);
    }),
    runs(200),
  );
});
