// Reading what was thrown, whatever it is.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { codeOf, messageOf, whyUnreadable } from './errors.ts';

test('an error of the platform has a code and a message', () => {
  try {
    readFileSync('/nonexistent');
    expect.fail('there is such a file');
  } catch (error) {
    expect(codeOf(error)).toBe('ENOENT');
    expect(messageOf(error)).toContain('no such file');
  }
});

test('other errors have a message, and anything else is told as text', () => {
  expect([codeOf(new Error('no')), messageOf(new Error('no'))]).toEqual([undefined, 'no']);
  expect([codeOf('no'), messageOf('no')]).toEqual([undefined, 'no']);
  expect([codeOf({ code: 'ENOENT' }), messageOf(undefined)]).toEqual([undefined, 'undefined']);
});

test('a file that cannot be read is told in words, without the name of a system call', () => {
  for (const [path, why] of [
    ['/nonexistent', 'it does not exist'],
    ['/', 'it is a folder'],
    ['/dev/null/x', 'it is not a folder'],
  ] as const) {
    try {
      readFileSync(path);
      expect.fail('it can be read');
    } catch (error) {
      expect(whyUnreadable(error)).toBe(why);
    }
  }
  expect(whyUnreadable(new Error('broken'))).toBe('broken');
});
