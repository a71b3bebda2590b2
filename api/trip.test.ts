// Which conditions of breakers can be read, and what they say of counts; as CEL has it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { runs } from '../kit/testing/runs.ts';
import { type Counts, parseTrip, TRIP_WORDS } from './trip.ts';

const NONE: Counts = {
  requests: 0,
  totalSuccesses: 0,
  totalFailures: 0,
  consecutiveSuccesses: 0,
  consecutiveFailures: 0,
};

function trips(text: string, counts: Partial<Counts> = {}): boolean {
  return must(parseTrip(text))({ ...NONE, ...counts });
}

test('opens after so many failures in a row', () => {
  expect(trips('consecutiveFailures > 5', { consecutiveFailures: 5 })).toBe(false);
  expect(trips('consecutiveFailures > 5', { consecutiveFailures: 6 })).toBe(true);
});

test('opens at a share of failures among enough calls', () => {
  const text = 'requests >= 20 && double(totalFailures) / double(requests) > 0.5';
  expect(trips(text, { requests: 19, totalFailures: 19 })).toBe(false);
  expect(trips(text, { requests: 20, totalFailures: 10 })).toBe(false);
  expect(trips(text, { requests: 20, totalFailures: 11 })).toBe(true);
});

describe('as in CEL', () => {
  test.each([
    ['1 + 2 * 3 == 7', true],
    ['(1 + 2) * 3 == 9', true],
    ['7 / 2 == 3', true],
    ['-7 / 2 == -3', true],
    ['-7 % 4 == -3', true],
    ['7.0 / 2.0 == 3.5', true],
    ['1.0 / 0.0 > 5', true],
    ['int(2.9) == 2', true],
    ['int(-2.9) == -2', true],
    ['10 - 4 - 3 == 3', true],
    ['!(1 > 2) && true', true],
    ['true || false && false', true],
    ['1 > 2 ? 1 > 2 : 3 > 2', true],
    ['true == !false', true],
    ['1 < 1.5', true],
    ['1.0 / double(-(0)) > 1.0', true],
    ['1/0 > 1', false],
    ['!(1/0 > 1)', false],
    ['true || 1/0 > 1', true],
    ['1/0 > 1 || true', true],
    ['1%0 > 1 && false', false],
    ['!(1%0 > 1 && false)', true],
  ])('%s is %s', (text, value) => {
    expect(trips(text)).toBe(value);
  });
});

describe('cannot be read, and the reason says what to do', () => {
  test.each([
    ['', 'it ends where'],
    ['requests', 'compare it with something'],
    ['requests > ', 'it ends where'],
    ['requests > 5 6', 'it could end before "6"'],
    ['(requests > 5', 'a ")" is missing'],
    ['failures > 5', '"failures" cannot stand'],
    ['requests + 0.5 > 1.0', 'write double() around'],
    ['double(requests) % 2.0 > 1.0', 'between whole numbers'],
    ['requests && true', 'between conditions'],
    ['!requests', 'takes a condition'],
    ['true > false', 'between numbers'],
    ['true == 1', 'of one kind'],
    ['1 == 1.0', 'of one kind'],
    ['true ? 1 : true', 'of one kind'],
    ['99999999999999999999 > 1', 'too large a number'],
    ['requests > 5; true', 'nobody can read it from ";'],
    ['double(true) > 1.0', 'takes a number'],
  ])('%j', (text, reason) => {
    expect(parseTrip(text)).toEqual({ ok: false, error: expect.stringContaining(reason) });
  });
});

const word = fc.constantFrom(
  ...TRIP_WORDS,
  ...['int', 'double', 'true', 'false', '(', ')', '!', '-', '+', '*', '/', '%', '<', '>=', '==', '&&', '||', '?', ':'],
  ...['0', '5', '0.5', ' '],
);

test('whatever the words are, it is read or refused, and what is read answers', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 24 }), fc.nat(100), (words, failures) => {
      const read = parseTrip(words.join(' '));
      if (read.ok) expect(typeof read.value({ ...NONE, requests: failures, totalFailures: failures })).toBe('boolean');
      else expect(read.error).toContain('is no condition');
    }),
    runs(2000),
  );
});

test('parentheses however deep are no burden', () => {
  expect(trips(`${'('.repeat(120)}true${')'.repeat(120)}`)).toBe(true);
});
