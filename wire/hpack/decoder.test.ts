// What the decoder refuses and why, what it gives, and that its table and its cache stay true.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import { runs } from '../../kit/testing/runs.ts';
import { type DecodedBlock, NO_PSEUDO } from './block.ts';
import { type DecoderOptions, HpackDecoder } from './decoder.ts';
import { HpackEncoder } from './encoder.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** A literal that enters the table, with texts as they are. */
function inserted(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), plain(name), plain(value)]);
}

function passing(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x00), plain(name), plain(value)]);
}

function plain(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const rest = bytes.length - 127;
  return Buffer.concat([Buffer.of(127, (rest & 0x7f) | 0x80, (rest >> 7) & 0x7f), bytes]);
}

/** The newest entry of the dynamic table. */
const NEWEST = Buffer.of(0x80 | 62);

const decodeOne = (block: Buffer, options?: DecoderOptions) => new HpackDecoder(options).decode(block);

describe('a block that leaves the table out of step', () => {
  test.each([
    { block: '80', reason: 'an index that is in no table' },
    { block: 'be', reason: 'an index that is in no table' },
    { block: 'ff80', reason: 'an index that is in no table' },
    { block: '7e', reason: 'an index that is in no table' },
    { block: '7f', reason: 'an index that is no integer' },
    { block: '0fffffffffff7f', reason: 'an index that is no integer' },
    { block: '40', reason: 'a name that is no text' },
    { block: '4003 6162', reason: 'a name that is no text' },
    { block: '4081 18', reason: 'a name that is no text' },
    { block: '4001 61', reason: 'a value that is no text' },
    { block: '4001 61 84 ffffffff', reason: 'a value that is no text' },
    { block: '4001 61 7f ffffffff7f', reason: 'a value that is no text' },
    { block: '82 20', reason: 'a table size update after a field' },
    { block: '3fe2 1f', reason: 'a table size update beyond the limit' },
    { block: '3f', reason: 'a table size that is no integer' },
  ])('$block is refused: $reason', ({ block, reason }) => {
    expect(decodeOne(hex(block))).toEqual({ ok: false, error: { kind: 'compression', reason } });
  });

  test('ends the connection: nothing is decoded after it', () => {
    const decoder = new HpackDecoder();
    expect(decoder.decode(hex('82')).ok).toBe(true);
    const error = decoder.decode(hex('80'));
    expect(decoder.decode(hex('82'))).toBe(error);
  });
});

describe('what is wrong with one message alone', () => {
  const newest = { ok: true, value: { pseudo: NO_PSEUDO, fields: ['kept', 'yes'], neverIndexed: new Set() } };

  test.each([
    { what: 'a name in upper case', block: passing('Name', 'value'), reason: 'field-name' },
    { what: 'an empty name', block: passing('', 'value'), reason: 'field-name' },
    { what: 'a line break in a value', block: passing('name', 'a\r\nb: c'), reason: 'field-value' },
    { what: 'a blank at the end of a value', block: passing('name', 'value '), reason: 'field-value' },
    { what: 'a NUL in a pseudo-header field', block: passing(':path', '/\0'), reason: 'field-value' },
    { what: 'a pseudo-header field of no RFC', block: passing(':other', 'value'), reason: 'pseudo-field-unknown' },
    { what: 'a pseudo-header field twice', block: hex('8282'), reason: 'pseudo-field-twice' },
    {
      what: 'an empty one twice',
      block: Buffer.concat([passing(':path', ''), hex('84')]),
      reason: 'pseudo-field-twice',
    },
    { what: 'one after a field', block: Buffer.concat([passing('a', 'b'), hex('82')]), reason: 'pseudo-field-late' },
  ])('$what is malformed ($reason), and the table stays in step', ({ block, reason }) => {
    const decoder = new HpackDecoder();
    const error = decoder.decode(Buffer.concat([block, inserted('kept', 'yes')]));
    expect(error).toEqual({ ok: false, error: { kind: 'malformed', reason } });
    expect(decoder.decode(NEWEST)).toEqual(newest);
  });

  test.each([
    { reason: 'head-bytes', options: { listBytesMax: 100 }, block: passing('name', 'v'.repeat(65)) },
    { reason: 'head-bytes', options: { listBytesMax: 100 }, block: Buffer.concat(Array(4).fill(passing('a', 'b'))) },
    { reason: 'head-fields', options: { fieldsMax: 3 }, block: Buffer.concat(Array(4).fill(passing('a', 'b'))) },
  ])('past a bound it says which ($reason), and the table stays in step', ({ reason, options, block }) => {
    const decoder = new HpackDecoder(options);
    const error = decoder.decode(Buffer.concat([block, inserted('kept', 'yes')]));
    expect(error).toEqual({ ok: false, error: { kind: 'limit', reason } });
    expect(decoder.decode(NEWEST)).toEqual(newest);
  });

  test('up to a bound all is well; pseudo-header fields count as bytes and not as fields', () => {
    expect(decodeOne(passing('name', 'v'.repeat(64)), { listBytesMax: 100 }).ok).toBe(true);
    expect(decodeOne(Buffer.concat([hex('828487'), ...Array(3).fill(passing('a', 'b'))]), { fieldsMax: 3 }).ok).toBe(
      true,
    );
    expect(decodeOne(hex('828487'), { listBytesMax: 120 }).ok).toBe(false);
  });
});

describe('the size of the table', () => {
  const update = (bytes: number) =>
    bytes < 31 ? Buffer.of(0x20 | bytes) : Buffer.of(0x3f, ((bytes - 31) & 0x7f) | 0x80, (bytes - 31) >> 7);

  test('updates stand at the front, as many as there are, and evict', () => {
    const decoder = new HpackDecoder();
    must(decoder.decode(inserted('a', 'b')));
    must(decoder.decode(Buffer.concat([update(0), update(4096), inserted('c', 'd')])));
    expect(must(decoder.decode(NEWEST)).fields).toEqual(['c', 'd']);
    expect(decoder.decode(Buffer.of(0x80 | 63)).ok).toBe(false);
  });

  test('an update before the acknowledgement may still go by the default', () => {
    const decoder = new HpackDecoder({ tableBytesMax: 100 });
    expect(decoder.decode(update(4096)).ok).toBe(true);
    decoder.settingsAcknowledged();
    expect(decoder.decode(Buffer.concat([update(4096)])).ok).toBe(false);
  });

  test('after the acknowledgement of less, a block has to begin with an update', () => {
    const decoder = new HpackDecoder({ tableBytesMax: 100 });
    const block = hex('82');
    for (let i = 0; i < 3; i++) must(decoder.decode(block));
    decoder.settingsAcknowledged();
    expect(decoder.decode(block)).toMatchObject({ error: { kind: 'compression' } });
    const other = new HpackDecoder({ tableBytesMax: 100 });
    other.settingsAcknowledged();
    expect(other.decode(Buffer.concat([update(100), block])).ok).toBe(true);
    expect(other.decode(block).ok).toBe(true);
  });

  test('of a larger table the peer may make use at once', () => {
    const decoder = new HpackDecoder({ tableBytesMax: 8192 });
    expect(decoder.decode(update(8192)).ok).toBe(true);
    expect(decoder.decode(update(8193)).ok).toBe(false);
  });
});

describe('repeated blocks', () => {
  test('give the same lists by identity', () => {
    const decoder = new HpackDecoder();
    must(decoder.decode(inserted('a', 'b')));
    const all = Array.from({ length: 4 }, () => must(decoder.decode(Buffer.from(NEWEST))));
    expect(all[0]?.fields).toEqual(['a', 'b']);
    expect(all[2]?.fields).toBe(all[1]?.fields);
    expect(all[3]).toBe(all[1]);
  });

  test.each([
    { what: 'an insertion', between: inserted('c', 'd'), after: ['c', 'd'] },
    { what: 'a resize that evicts nothing', between: hex('3fc11f'), after: ['a', 'b'] },
  ])('mean what the table says now, after $what', ({ between, after }) => {
    const decoder = new HpackDecoder();
    must(decoder.decode(inserted('a', 'b')));
    const known = [1, 2, 3].map(() => must(decoder.decode(NEWEST)))[2];
    must(decoder.decode(between));
    const now = must(decoder.decode(NEWEST));
    expect(now.fields).toEqual(after);
    expect(now).not.toBe(known);
  });

  test('that touch the table do so each time', () => {
    const decoder = new HpackDecoder();
    const block = inserted('a', 'b');
    for (let i = 0; i < 4; i++) must(decoder.decode(block));
    expect(must(decoder.decode(hex('c1'))).fields).toEqual(['a', 'b']);
    expect(decoder.decode(hex('c2')).ok).toBe(false);
  });

  test('are held apart from the chunk that they came in', () => {
    const decoder = new HpackDecoder();
    const chunk = Buffer.concat([passing('a', 'b')]);
    for (let i = 0; i < 3; i++) must(decoder.decode(chunk));
    chunk.write('c', 4, 'latin1');
    expect(must(decoder.decode(chunk)).fields).toEqual(['a', 'c']);
  });
});

test('a name that repeats is known by its bytes, and by whether they are a Huffman code', () => {
  // The code of "3as" is the text "dh".
  const [text, code] = [passing('dh', 'v'), Buffer.concat([Buffer.of(0x00, 0x82), Buffer.from('dh'), plain('v')])];
  const decoder = new HpackDecoder({ isCaching: false });
  for (let i = 0; i < 4; i++) {
    expect(must(decoder.decode(text)).fields).toEqual(['dh', 'v']);
    expect(must(decoder.decode(code)).fields).toEqual(['3as', 'v']);
  }
});

test('a never-indexed field is told by name, a pseudo-header field too', () => {
  const never = (name: string, value: string) => Buffer.concat([Buffer.of(0x10), plain(name), plain(value)]);
  const block = Buffer.concat([never(':path', '/secret'), passing('a', 'b'), never('token', 'c')]);
  expect(must(decodeOne(block)).neverIndexed).toEqual(new Set([':path', 'token']));
});

test('random bytes make an answer, and leave a decoder that gives the next one', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .array(fc.constantFrom(0x82, 0xbe, 0x40, 0x01, 0x61, 0x20, 0x81, 0x1f), { maxLength: 300 })
      .map((bytes) => Uint8Array.from(bytes)),
  );
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 12 }), fc.nat(200), (blocks, listBytesMax) => {
      const decoder = new HpackDecoder({ listBytesMax, fieldsMax: 5 });
      for (const block of blocks) {
        const decoded = decoder.decode(Buffer.from(block));
        if (decoded.ok) expect(listBytes(decoded.value)).toBeLessThanOrEqual(listBytesMax);
        else expect(['compression', 'limit', 'malformed']).toContain(decoded.error.kind);
      }
    }),
    runs(2000),
  );
});

test('a decoder with its cache and one without say the same of any connection', () => {
  const value = fc.constantFrom('1', '2', '3', 'much longer than the others');
  const lists = fc.array(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'date', 'cookie'), value), { maxLength: 4 }), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(lists, fc.constantFrom(0, 60, 120, 4096), (all, tableBytes) => {
      const encoder = new HpackEncoder();
      const decoders = [new HpackDecoder(), new HpackDecoder({ isCaching: false })];
      for (const [i, list] of all.entries()) {
        if (i % 10 === 9) encoder.peerAllowsTable(tableBytes);
        const fields = list.flat();
        const block = must(encoder.encode(NO_PSEUDO, fields));
        for (const decoder of decoders) expect(must(decoder.decode(block)).fields).toEqual(fields);
      }
    }),
  );
});

test('a bomb of references to one large entry is read and not kept', () => {
  const decoder = new HpackDecoder();
  must(decoder.decode(inserted('a', 'v'.repeat(4000))));
  const bomb = Buffer.alloc(60_000, NEWEST);
  for (let i = 0; i < 20; i++)
    expect(decoder.decode(bomb)).toEqual({ ok: false, error: { kind: 'limit', reason: 'head-bytes' } });
  expect(must(decoder.decode(NEWEST)).fields).toEqual(['a', 'v'.repeat(4000)]);
});

function listBytes({ pseudo, fields }: DecodedBlock): number {
  const texts = [
    ...fields,
    ...Object.entries(pseudo).flatMap(([name, value]) => (value === undefined ? [] : [`:${name}`, value])),
  ];
  return texts.reduce((sum, text) => sum + text.length + 16, 0);
}
