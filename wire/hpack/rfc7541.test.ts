// The examples of RFC 7541, Appendix C, byte for byte.
import { describe, expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import type { Fields } from '../message.ts';
import { type DecodedBlock, NO_PSEUDO, type PseudoFields } from './block.ts';
import { HpackDecoder } from './decoder.ts';
import { HpackEncoder } from './encoder.ts';
import { knownNames } from './indexing.ts';
import { type Cursor, readInteger, writeInteger } from './integer.ts';

interface Example {
  readonly hex: string;
  readonly pseudo?: Partial<PseudoFields>;
  readonly fields?: Fields;
}

const request = { method: 'GET', scheme: 'http', path: '/', authority: 'www.example.com' };
const secondRequest = { pseudo: request, fields: ['cache-control', 'no-cache'] };
const thirdRequest = {
  pseudo: { ...request, scheme: 'https', path: '/index.html' },
  fields: ['custom-key', 'custom-value'],
};
const response = {
  pseudo: { status: '302' },
  fields: ['cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT', 'location', 'https://www.example.com'],
};
const secondResponse = { ...response, pseudo: { status: '307' } };
const thirdResponse = {
  pseudo: { status: '200' },
  fields: [
    ...['cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT', 'location', 'https://www.example.com'],
    ...['content-encoding', 'gzip'],
    ...['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
};

/** C.2: each is the first block of its connection. */
const REPRESENTATIONS: readonly Example[] = [
  { hex: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', fields: ['custom-key', 'custom-header'] },
  { hex: '040c 2f73 616d 706c 652f 7061 7468', pseudo: { path: '/sample/path' } },
  { hex: '1008 7061 7373 776f 7264 0673 6563 7265 74', fields: ['password', 'secret'] },
  { hex: '82', pseudo: { method: 'GET' } },
];

/** C.3 and C.5: the blocks of one connection each. */
const PLAIN_REQUESTS: readonly Example[] = [
  { hex: '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', pseudo: request },
  { hex: '8286 84be 5808 6e6f 2d63 6163 6865', ...secondRequest },
  { hex: '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', ...thirdRequest },
];
const PLAIN_RESPONSES: readonly Example[] = [
  {
    hex: `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120
      474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
    ...response,
  },
  { hex: '4803 3330 37c1 c0bf', ...secondResponse },
  {
    hex: `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738
      666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630
      303b 2076 6572 7369 6f6e 3d31`,
    ...thirdResponse,
  },
];

/** C.4 and C.6. */
const HUFFMAN_REQUESTS: readonly Example[] = [
  { hex: '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', pseudo: request },
  { hex: '8286 84be 5886 a8eb 1064 9cbf', ...secondRequest },
  { hex: '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', ...thirdRequest },
];
const HUFFMAN_RESPONSES: readonly Example[] = [
  {
    hex: `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718
      63c7 8f0b 97c8 e9ae 82ae 43d3`,
    ...response,
  },
  { hex: '4883 640e ffc1 c0bf', ...secondResponse },
  {
    hex: `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7
      b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ...thirdResponse,
  },
];

const bytesOf = ({ hex }: Example) => Buffer.from(hex.replace(/\s/g, ''), 'hex');
const pseudoOf = ({ pseudo }: Example): PseudoFields => ({ ...NO_PSEUDO, ...pseudo });

/** The table of the responses has 256 bytes, so that entries are evicted. */
function decoderOf(tableBytesMax: number): HpackDecoder {
  const decoder = new HpackDecoder();
  // The RFC takes this size as known; on the wire an update says so: 001 and 5 bits of prefix.
  const update = Buffer.alloc(3);
  decoder.decode(update.subarray(0, writeInteger(update, 0, 0x20, 5, tableBytesMax)));
  return decoder;
}

test('C.1: integers', () => {
  const cases = [
    { value: 10, prefixBits: 5, hex: '0a' },
    { value: 1337, prefixBits: 5, hex: '1f9a0a' },
    { value: 42, prefixBits: 8, hex: '2a' },
  ];
  for (const { value, prefixBits, hex } of cases) {
    const bytes = Buffer.alloc(6);
    expect(bytes.subarray(0, writeInteger(bytes, 0, 0, prefixBits, value)).toString('hex')).toBe(hex);
    const cursor: Cursor = { bytes: Buffer.from(hex, 'hex'), at: 0 };
    expect([readInteger(cursor, prefixBits), cursor.at]).toEqual([value, hex.length / 2]);
  }
});

test.each(REPRESENTATIONS)('C.2: $hex is decoded', (example) => {
  expectDecoded(new HpackDecoder(), [example]);
});

test('C.2.3: the password stays never indexed', () => {
  const decoded = must(new HpackDecoder().decode(bytesOf(REPRESENTATIONS[2] ?? { hex: '' })));
  expect([...decoded.neverIndexed]).toEqual(['password']);
});

describe.each([
  { section: 'C.3', tableBytesMax: 4096, examples: PLAIN_REQUESTS },
  { section: 'C.4', tableBytesMax: 4096, examples: HUFFMAN_REQUESTS },
  { section: 'C.5', tableBytesMax: 256, examples: PLAIN_RESPONSES },
  { section: 'C.6', tableBytesMax: 256, examples: HUFFMAN_RESPONSES },
])('$section', ({ tableBytesMax, examples }) => {
  test('is decoded', () => expectDecoded(decoderOf(tableBytesMax), examples));
});

test.each([
  { section: 'C.4', tableBytesMax: 4096, examples: HUFFMAN_REQUESTS },
  { section: 'C.6', tableBytesMax: 256, examples: HUFFMAN_RESPONSES },
])('$section is encoded, by an encoder that keeps everything', ({ tableBytesMax, examples }) => {
  const encoder = new HpackEncoder({ tableBytesMax, names: knownNames([], []), insertAt: 'first-sight' });
  // An update of the size stands before the first block.
  encoder.encode(NO_PSEUDO, []);
  for (const example of examples) {
    const block = must(encoder.encode(pseudoOf(example), example.fields ?? []));
    // 307 takes three bytes either way; the RFC writes the Huffman code, and we the text.
    expect(block.toString('hex').replace('4803333037', '4883640eff')).toBe(bytesOf(example).toString('hex'));
  }
});

function expectDecoded(decoder: HpackDecoder, examples: readonly Example[]): void {
  for (const example of examples) {
    const { pseudo, fields }: DecodedBlock = must(decoder.decode(bytesOf(example)));
    expect({ pseudo, fields }).toEqual({ pseudo: pseudoOf(example), fields: example.fields ?? [] });
  }
}
