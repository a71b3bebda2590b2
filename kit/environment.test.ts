// The environment: what is read of it, and what is said where it cannot be.
import { expect, test } from 'vitest';
import { parseOptional, parseText, readEnvironment } from './environment.ts';
import { err } from './result.ts';
import { parsePort } from './values.ts';

const VARIABLES = {
  NAME: { parse: parseText },
  PORT: { parse: parsePort, initially: '80' },
  FILE: { parse: parseOptional, initially: '' },
};
const read = (environment: Record<string, string>) => readEnvironment(VARIABLES, environment, 'set it');

test('what is set is read, and what is not has its default', () => {
  expect(read({ NAME: 'a', PORT: '81', FILE: '/f' })).toEqual({ ok: true, value: { NAME: 'a', PORT: 81, FILE: '/f' } });
  expect(read({ NAME: 'a', OTHER: 'x' })).toEqual({ ok: true, value: { NAME: 'a', PORT: 80, FILE: undefined } });
});

test('what is set to nothing is not set', () => {
  expect(read({ NAME: 'a', PORT: '' })).toEqual(read({ NAME: 'a' }));
  expect(read({ NAME: '' })).toEqual(err(['NAME is not set; set it']));
});

test('every mistake is told at once, by name and in the order of the table', () => {
  expect(read({ PORT: 'x' })).toEqual(
    err(['NAME is not set; set it', expect.stringMatching(/^PORT cannot be used: "x" is not a port/)]),
  );
});
