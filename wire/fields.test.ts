// Names and values, against what Node's own HTTP takes for such.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { flawIn, isFieldName, isFieldValue } from './fields.ts';

const anyText = fc.string({ unit: fc.integer({ min: 0, max: 0x17f }).map((code) => String.fromCharCode(code)) });
const nearlyText = fc.string({
  unit: fc.constantFrom('a', 'Z', '-', '_', ':', ' ', '\t', '\r', '\n', '\0', '\x7f', 'é'),
});
const anything = fc.oneof(anyText, nearlyText);

const isFineWithNode = (check: () => void) => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

test('a name is what Node takes for one, in lower case', () => {
  fc.assert(
    fc.property(anything, (name) => {
      const isName = isFineWithNode(() => validateHeaderName(name)) && !/[A-Z]/.test(name);
      expect(isFieldName(name)).toBe(isName);
    }),
  );
});

test('a value is what Node takes for one, without blanks at its ends', () => {
  fc.assert(
    fc.property(anything, (value) => {
      const isValue = isFineWithNode(() => validateHeaderValue('name', value)) && !/^[ \t]|[ \t]$/.test(value);
      expect(isFieldValue(value)).toBe(isValue);
    }),
  );
});

test.each(['', ' ', 'Name', 'na me', 'name:', 'name\n', 'nam\u00e9', ':path', 'name\u0161'])(
  '%j is no name',
  (name) => {
    expect(isFieldName(name)).toBe(false);
  },
);

test.each([' a', 'a ', '\ta', 'a\t', 'a\r\nb', 'a\nb', 'a\0', '\x7f', '\u010a', 'a\u010d\u010a'])(
  '%j is no value',
  (value) => {
    expect(isFieldValue(value)).toBe(false);
  },
);

test('the first flaw of a list is told', () => {
  expect(flawIn(['a', 'b', 'c', ''])).toBeUndefined();
  expect(flawIn(['a', 'b\n', 'C', ''])).toBe('field-value');
  expect(flawIn(['a', 'b', 'C', '\n'])).toBe('field-name');
});
