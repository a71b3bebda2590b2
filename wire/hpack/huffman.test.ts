// The code, both ways, and all that is none.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../kit/testing/runs.ts';
import { decodedBytesMax, huffmanBytes, NO_TEXT, readHuffman, writeHuffman } from './huffman.ts';

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)) });

function encode(text: string): Buffer {
  const to = Buffer.alloc(huffmanBytes(text));
  expect(writeHuffman(to, 0, text)).toBe(to.length);
  return to;
}

/** Undefined where it is no code. Room is given for the longest text that there could be, and no more. */
function decode(code: Buffer): string | undefined {
  const to = Buffer.alloc(decodedBytesMax(code.length));
  const length = readHuffman(code, 0, code.length, to);
  return length === NO_TEXT ? undefined : to.toString('latin1', 0, length);
}

test('every text comes back', () => {
  fc.assert(
    fc.property(latin1, (text) => {
      expect(decode(encode(text))).toBe(text);
    }),
  );
});

test('every byte has a code of its own, and comes back between others', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, code) => code)).toString('latin1');
  expect(decode(encode(all))).toBe(all);
  const codes = Array.from(all, (character) => encode(character + character).toString('hex'));
  expect(new Set(codes).size).toBe(256);
});

test('no bytes have a second way to be written', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
      const code = Buffer.from(bytes);
      const text = decode(code);
      if (text !== undefined) expect(encode(text)).toEqual(code);
    }),
    runs(1000),
  );
});

test.each([
  { hex: 'ff', why: 'a whole byte of padding' },
  { hex: '1fff', why: 'a letter, and more than 7 bits of padding' },
  { hex: '18', why: 'padding of zeros' },
  { hex: '1e', why: 'padding that ends in a zero' },
  { hex: 'ffffffff', why: 'EOS' },
  { hex: '1fffffffff', why: 'EOS after a letter' },
  { hex: 'ffffff', why: 'the front of a long code' },
])('refused: $why ($hex)', ({ hex }) => {
  expect(decode(Buffer.from(hex, 'hex'))).toBeUndefined();
});

test('up to 7 bits of ones are padding', () => {
  expect(decode(Buffer.from('1f', 'hex'))).toBe('a');
  expect(decode(Buffer.from('', 'hex'))).toBe('');
});

test('what stands before and after the code is not looked at', () => {
  fc.assert(
    fc.property(latin1, fc.uint8Array(), fc.uint8Array(), (text, before, after) => {
      const code = encode(text);
      const to = Buffer.alloc(decodedBytesMax(code.length));
      const length = readHuffman(Buffer.concat([before, code, after]), before.length, before.length + code.length, to);
      expect(to.toString('latin1', 0, length)).toBe(text);
    }),
  );
});
