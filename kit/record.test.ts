// Objects that are read by a table: what is taken, what is left behind, and what is said of every mistake.
import { expect, test } from 'vitest';
import { optional, parsedBy, type Readers, readRecord, text, texts, wholeNumber } from './record.ts';
import { ok } from './result.ts';
import { parseOneOf } from './values.ts';

interface Dish {
  readonly name: string;
  readonly size: 'small' | 'large';
  readonly servings: number;
  readonly calories?: number;
  readonly tags: readonly string[];
}

const dish: Readers<Dish> = {
  name: text,
  size: parsedBy(parseOneOf(['small', 'large'])),
  servings: wholeNumber(1, 12),
  calories: optional(wholeNumber(0)),
  tags: texts,
};

const soup: Dish = { name: 'soup', size: 'large', servings: 12, tags: ['hot'] };

test('what the table has is taken, and nothing else', () => {
  expect(readRecord(dish, { ...soup, calories: 0 })).toEqual(ok({ ...soup, calories: 0 }));
  const read = readRecord(dish, JSON.parse(JSON.stringify({ ...soup, price: 3, ['__proto__']: 1 })));
  expect(read).toEqual(ok(soup));
  expect(read.ok && 'calories' in read.value).toBe(false);
});

test('every mistake is told', () => {
  const wrong = { name: null, size: 'huge', servings: 13, calories: 1.5, tags: ['hot', 1] };
  expect(readRecord(dish, wrong)).toEqual({
    ok: false,
    error: [
      'name: null is not a text',
      'size: "huge" is none of small, large',
      'servings: 13 is not a whole number from 1 to 12',
      'calories: 1.5 is not a whole number from 0 on',
      'tags: ["hot",1] is not a list of texts',
    ],
  });
  expect(readRecord(dish, { ...soup, name: undefined })).toMatchObject({
    error: ['name: it is missing; it has to be a text'],
  });
});

test.each([[null], ['soup'], [undefined], [1], [[]]])('%j is no object', (value) => {
  expect(readRecord(dish, value)).toEqual({ ok: false, error: ['it is no object'] });
});

test('nothing that every object inherits is taken for a field', () => {
  expect(readRecord({ toString: optional(text) }, {})).toEqual(ok({}));
});
