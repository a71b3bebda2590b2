// Which path templates can be read: those that api/resources/fields.ts takes, and no other.
import { expect, test } from 'vitest';
import { readAccessPolicy } from '../../api/resources/access-policy.ts';
import { parseTemplate } from './template.ts';

const taken = [
  '/',
  '/**',
  '/a',
  '/a/',
  '/a/**',
  '/{id}',
  '/a/{id}/b',
  '/a%2Fb/{x}',
  '/{a}/{b}/**',
  '/a;x=1',
  '/v1.0/~x',
];
const refused = [
  '',
  'a',
  '/a/{id',
  '/a/x{id}',
  '/a/**/b',
  '/a/*',
  '/a//b',
  '/a/../b',
  '/./a',
  '/%61',
  '/%2f',
  '/a?x',
  '/ä',
  '/a b',
  '/{}',
  '/{a-b}',
  '/**/',
  '/a/**/**',
  '//**',
];

test.each(taken)('%j can be', (text) => {
  expect(parseTemplate(text).ok).toBe(true);
  expect(schemaTakes(text)).toBe(true);
});

test.each(refused)('%j cannot, and the reason names it', (text) => {
  expect(parseTemplate(text)).toEqual({ ok: false, error: expect.stringContaining(`"${text}"`) });
  expect(schemaTakes(text)).toBe(false);
});

function schemaTakes(text: string): boolean {
  return readAccessPolicy({ rules: [{ name: 'a', to: [{ paths: [text] }] }] }).ok;
}
