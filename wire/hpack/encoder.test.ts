// What the encoder keeps and never keeps, and that whatever it writes comes back.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import { runs } from '../../kit/testing/runs.ts';
import type { Fields } from '../message.ts';
import { NO_PSEUDO, type PseudoFields } from './block.ts';
import { HpackDecoder } from './decoder.ts';
import { HpackEncoder } from './encoder.ts';
import { knownNames, SECRET_NAMES, VOLATILE_NAMES } from './indexing.ts';

const REQUEST: PseudoFields = {
  ...{ ...NO_PSEUDO, method: 'POST', scheme: 'https' },
  ...{ authority: 'shop.shop:50002', path: '/package.Service/Method' },
};

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'accept', 'cookie', 'authorization', 'date', 'etag', 'x-user', 'content-type'),
  fc.string({ unit: fc.constantFrom(...'abcxyz019-_.~'), minLength: 1, maxLength: 40 }),
);
const value = fc
  .oneof(
    fc.constantFrom('', 'trailers', 'application/grpc', '*/*', 'long '.repeat(60).trim()),
    fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) }),
  )
  .map((text) => text.replaceAll('\x7f', '').replace(/^ +| +$/g, ''));
const fields: fc.Arbitrary<Fields> = fc.array(fc.tuple(name, value), { maxLength: 10 }).map((list) => list.flat());
const pseudo: fc.Arbitrary<PseudoFields> = fc.constantFrom(
  REQUEST,
  { ...REQUEST, path: '/other', protocol: 'websocket' },
  { ...NO_PSEUDO, status: '200' },
  { ...NO_PSEUDO, status: '418' },
  NO_PSEUDO,
);

interface Sent {
  readonly pseudo: PseudoFields;
  readonly fields: Fields;
  readonly neverIndexed: ReadonlySet<string>;
  /** SETTINGS of the peer before this block. */
  readonly tables: readonly number[];
}

/** Lists come again, the same ones by identity and equal ones. */
const connection = fc.array(fields, { minLength: 1, maxLength: 6 }).chain((lists) =>
  fc.array(
    fc.record<Sent>({
      pseudo,
      fields: fc.oneof(
        fc.constantFrom(...lists),
        fc.constantFrom(...lists).map((list) => [...list]),
      ),
      neverIndexed: fc.oneof(
        fc.constant(new Set<string>()),
        fc.constantFrom(new Set(['a']), new Set([':path', 'x-user'])),
      ),
      tables: fc.oneof(
        { weight: 6, arbitrary: fc.constant([]) },
        fc.array(fc.constantFrom(0, 64, 200, 4096, 65536), { maxLength: 3 }),
      ),
    }),
    { maxLength: 40 },
  ),
);

describe.each(['first-sight', 'second-sight'] as const)('fields that enter the table at %s', (insertAt) => {
  test('come back as they went, whatever came before and however the table changes', () => {
    fc.assert(
      fc.property(connection, fc.constantFrom(0, 200, 4096, 65536), (all, tableBytesMax) => {
        const encoder = new HpackEncoder({ tableBytesMax, insertAt });
        const decoder = new HpackDecoder({ tableBytesMax: 65536 });
        for (const sent of all) {
          for (const bytes of sent.tables) encoder.peerAllowsTable(bytes);
          const decoded = must(decoder.decode(must(encoder.encode(sent.pseudo, sent.fields, sent.neverIndexed))));
          expect(decoded).toMatchObject({ pseudo: sent.pseudo, fields: sent.fields });
          const present = [...namesOf(sent)].filter(
            (each) => sent.neverIndexed.has(each) || SECRET_NAMES.includes(each),
          );
          expect(decoded.neverIndexed).toEqual(new Set(present));
        }
      }),
      runs(300),
    );
  });
});

describe('the bytes of a block', () => {
  const encodeThrice = (list: () => Fields, neverIndexed?: ReadonlySet<string>) => {
    const encoder = new HpackEncoder();
    return [1, 2, 3].map(() => must(encoder.encode(NO_PSEUDO, list(), neverIndexed)).toString('hex'));
  };

  test('a field enters the table when it comes again, and is an index from then on', () => {
    const [first, second, third] = encodeThrice(() => ['x-user', 'peter']);
    expect(first).toMatch(/^00/);
    expect(second).toMatch(/^40/);
    expect(third).toBe('be');
  });

  test.each(VOLATILE_NAMES)('%s never enters the table', (volatile) => {
    const blocks = encodeThrice(() => [volatile, 'value']);
    expect(blocks[2]).toBe(blocks[0]);
    expect(blocks[0]).toMatch(/^0/);
  });

  test.each(SECRET_NAMES)('%s is never indexed', (secret) => {
    const blocks = encodeThrice(() => [secret, 'value']);
    expect(blocks[2]).toBe(blocks[0]);
    expect(blocks[0]).toMatch(/^1/);
  });

  test('what came never indexed goes on so, even where a table has it', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const list = ['accept-encoding', 'gzip, deflate', 'x-user', 'peter'];
    for (let i = 0; i < 3; i++) must(decoder.decode(must(encoder.encode(NO_PSEUDO, list))));
    const names = new Set(['accept-encoding', 'x-user']);
    expect(must(decoder.decode(must(encoder.encode(NO_PSEUDO, list, names)))).neverIndexed).toEqual(names);
    // And without the demand it is two bytes again.
    expect(must(encoder.encode(NO_PSEUDO, list)).toString('hex')).toBe('90be');
  });

  test('the owner of the connection may name secrets and volatile fields of its own', () => {
    const encoder = new HpackEncoder({ names: knownNames(['turn'], ['pin']), insertAt: 'first-sight' });
    const [first, second] = [1, 2].map(() => must(encoder.encode(NO_PSEUDO, ['turn', '1', 'pin', '2', 'cookie', 'c'])));
    expect(first?.subarray(0, 15)).toEqual(second?.subarray(0, 15));
    expect(second?.subarray(15)).toEqual(Buffer.of(0xbe));
  });

  test('a field that would fill more than half of the table does not enter it', () => {
    const large = encodeThrice(() => ['x-user', 'v'.repeat(2100)]);
    expect(large[2]).toBe(large[0]);
    expect(encodeThrice(() => ['x-user', 'v'.repeat(1900)])[2]).toBe('be');
  });
});

describe('a list that comes again', () => {
  test('is not encoded anew: the block is the same one', () => {
    const encoder = new HpackEncoder();
    const list = ['x-user', 'peter', 'date', 'today'];
    const blocks = Array.from({ length: 8 }, () => must(encoder.encode({ ...REQUEST }, list)));
    expect(blocks[7]).toBe(blocks[6]);
    const other = must(encoder.encode({ ...REQUEST, path: '/' }, list));
    expect(other.subarray(-8)).toEqual(blocks[7]?.subarray(-8));
    expect(other).not.toEqual(blocks[7]);
  });

  test('is encoded anew once an index has moved', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const list = ['x-user', 'peter'];
    const send = (sent: Fields) => must(decoder.decode(must(encoder.encode(REQUEST, sent)))).fields;
    for (let i = 0; i < 8; i++) expect(send(list)).toEqual(list);
    for (let i = 0; i < 2; i++) expect(send(['x-user', 'paul'])).toEqual(['x-user', 'paul']);
    for (let i = 0; i < 8; i++) expect(send(list)).toEqual(list);
  });

  test('with a flaw before it is refused each time', () => {
    const encoder = new HpackEncoder();
    const list = ['x-user', 'peter'];
    for (let i = 0; i < 8; i++) must(encoder.encode(REQUEST, list));
    for (const path of ['/\r\nb: c', `/\r${'x'.repeat(3000)}`]) {
      for (let i = 0; i < 4; i++) expect(encoder.encode({ ...REQUEST, path }, list).ok).toBe(false);
    }
  });
});

describe('a list with a flaw', () => {
  test.each([
    { what: 'a line break in a value', list: ['a', 'b\r\nc: d'], flaw: 'field-value' },
    { what: 'a character that is no byte and would become a line break', list: ['a', '\u010a'], flaw: 'field-value' },
    { what: 'a name in upper case', list: ['A', 'b'], flaw: 'field-name' },
    { what: 'a pseudo-header field', list: [':path', '/'], flaw: 'field-name' },
    { what: 'an empty name', list: ['', 'b'], flaw: 'field-name' },
    { what: 'a value left out', list: ['Name'], flaw: 'field-name' },
  ])('makes no block: $what', ({ list, flaw }) => {
    expect(new HpackEncoder().encode(REQUEST, list)).toEqual({ ok: false, error: flaw });
  });

  test('leaves both tables in step, though fields before it had entered one', () => {
    const encoder = new HpackEncoder({ insertAt: 'first-sight' });
    const decoder = new HpackDecoder();
    const send = (list: Fields) => must(decoder.decode(must(encoder.encode(REQUEST, list)))).fields;
    expect(send(['a', '1'])).toEqual(['a', '1']);
    expect(encoder.encode(REQUEST, ['b', '2', 'c', '\n']).ok).toBe(false);
    expect(send(['b', '2', 'a', '1'])).toEqual(['b', '2', 'a', '1']);
    expect(send(['b', '2', 'a', '1'])).toEqual(['b', '2', 'a', '1']);
  });
});

test('a list whose field was not kept the first time enters the table yet, though it is known by identity', () => {
  const encoder = new HpackEncoder();
  const list = ['x-user', 'peter'];
  // So many that the first sight of the field is forgotten.
  const others = Array.from({ length: 2000 }, (_, i) => [`x-${i}`, 'once']).flat();
  must(encoder.encode(NO_PSEUDO, list));
  must(encoder.encode(NO_PSEUDO, others));
  const blocks = Array.from({ length: 3 }, () => must(encoder.encode(NO_PSEUDO, list)));
  expect(blocks[2]).toEqual(Buffer.of(0xbe));
});

describe('the size of the table', () => {
  const sizesOf = (encoder: HpackEncoder) => must(encoder.encode(NO_PSEUDO, [])).toString('hex');

  test.each([
    { settings: [], hex: '' },
    { settings: [4096], hex: '' },
    { settings: [65536], hex: '' },
    { settings: [0], hex: '20' },
    { settings: [100, 30], hex: '3e' },
    { settings: [0, 4096], hex: '203fe11f' },
    { settings: [10, 0, 5], hex: '2025' },
  ])('SETTINGS $settings are answered with the smallest and the last size ($hex), once', ({ settings, hex }) => {
    const encoder = new HpackEncoder();
    for (const bytes of settings) encoder.peerAllowsTable(bytes);
    expect(sizesOf(encoder)).toBe(hex);
    expect(sizesOf(encoder)).toBe('');
  });

  test('is told by the next block, if the one that was to tell it had a flaw', () => {
    const encoder = new HpackEncoder();
    encoder.peerAllowsTable(30);
    expect(encoder.encode(NO_PSEUDO, ['a', '\n']).ok).toBe(false);
    expect(sizesOf(encoder)).toBe('203e');
  });

  test('a table of our own that is smaller than the default is announced, a larger one once the peer allows it', () => {
    expect(sizesOf(new HpackEncoder({ tableBytesMax: 0 }))).toBe('20');
    const encoder = new HpackEncoder({ tableBytesMax: 8192 });
    expect(sizesOf(encoder)).toBe('');
    encoder.peerAllowsTable(2 ** 32 - 1);
    expect(sizesOf(encoder)).toBe('3fe13f');
  });
});

function namesOf({ pseudo: before, fields: list }: Sent): Set<string> {
  const names = Object.entries(before).flatMap(([key, text]) => (text === undefined ? [] : [`:${key}`]));
  return new Set([...names, ...list.filter((_, i) => i % 2 === 0)]);
}
