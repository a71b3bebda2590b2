// Forms that DER leaves no choice about (X.690, section 10 and 11), and where they change.
import { expect, test } from 'vitest';
import { bitString, integer, octetString, oid, pem, sequence, time } from './der.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test.each([
  ['zero', [0], '020100'],
  ['nothing at all is zero', [], '020100'],
  ['leading zeros go', [0, 0, 1], '020101'],
  ['a high first bit gets one zero, lest it read as negative', [0x80], '02020080'],
  ['no zero where the first bit is low', [0x7f, 0xff], '02027fff'],
])('integer: %s', (_says, magnitude, expected) => {
  expect(hex(integer(Buffer.from(magnitude)))).toBe(expected);
});

test.each([
  [0x7f, '047f'],
  [0x80, '048180'],
  [0xff, '0481ff'],
  [0x100, '04820100'],
])('a length of %i is written in its shortest form', (length, head) => {
  expect(hex(octetString(Buffer.alloc(length))).slice(0, head.length)).toBe(head);
});

test.each([
  ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
  ['2.5.29.17', '0603551d11'],
  ['1.3.6.1.4.1.57683.100.1', '060a2b0601040183c2536401'],
])('object identifier %s', (dotted, expected) => {
  expect(hex(oid(dotted))).toBe(expected);
});

test('times turn from UTCTime to GeneralizedTime with the year 2050', () => {
  expect(time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1')).toBe('\x17\x0d491231235959Z');
  expect(time(Date.UTC(2050, 0, 1)).toString('latin1')).toBe('\x18\x0f20500101000000Z');
});

test('named bits say how many are unused', () => {
  expect(hex(bitString(Buffer.from([0x06]), 1))).toBe('03020106');
});

test('PEM breaks lines at 64 characters', () => {
  const lines = pem('CERTIFICATE', sequence(Buffer.alloc(60))).split('\n');
  expect(lines.map((line) => line.length)).toEqual([27, 64, 20, 25, 0]);
});
