// Header blocks to fields (RFC 7541, 6). One decoder for each direction of a connection, fed with every block in order.
import { err, type Result } from '../../kit/result.ts';
import { type DecodedBlock, type HpackError, TABLE_BYTES_DEFAULT } from './block.ts';
import { BytesCache } from './bytes-cache.ts';
import { Collector } from './collector.ts';
import { DynamicTable } from './dynamic-table.ts';
import { type Field, type JudgedName, judgeField, judgeName } from './field.ts';
import { decodedBytesMax, NO_TEXT, readHuffman } from './huffman.ts';
import { type Cursor, NO_INTEGER, readInteger } from './integer.ts';
import { STATIC_COUNT, STATIC_ENTRIES } from './static-table.ts';

export interface DecoderOptions {
  /** What our SETTINGS_HEADER_TABLE_SIZE says. */
  readonly tableBytesMax?: number;
  /** Names, values and 32 bytes for each field (RFC 9113, 6.5.2). */
  readonly listBytesMax?: number;
  /** Pseudo-header fields are not counted: there are six at most. */
  readonly fieldsMax?: number;
  /** Whether what repeated blocks said is found by their bytes; on by default. */
  readonly isCaching?: boolean;
}

const LIST_BYTES_MAX_DEFAULT = 64 * 1024;
const FIELDS_MAX_DEFAULT = 128;
/** A block that repeats takes a dozen bytes, once the tables know its fields. One with a trace id in it is longer. */
const BLOCK_BYTES_MAX = 64;
const NAME_BYTES_MAX = 32;

/** Names that come as text again and again, since their values never enter a table. Of all connections. */
const PLAIN_NAMES = new BytesCache<JudgedName>(NAME_BYTES_MAX);
const HUFFMAN_NAMES = new BytesCache<JudgedName>(NAME_BYTES_MAX);

const STATIC_FIELDS: readonly Field[] = STATIC_ENTRIES.map(({ name, value }) => judgeField(judgeName(name), value));

/** The kinds of representation are told apart by the first bits of a byte. */
const INDEXED = 0x80;
const INSERTED = 0x40;
const RESIZE = 0x20;
const NEVER_INDEXED = 0x10;
const IS_HUFFMAN = 0x80;

const NO_BYTES = Buffer.alloc(0);
/** Where Huffman codes are undone; nothing stays in it from one text to the next. */
const SCRATCH = Buffer.allocUnsafeSlow(4096);

export class HpackDecoder {
  readonly #table = new DynamicTable<Field>(TABLE_BYTES_DEFAULT);
  readonly #tableBytesMax: number;
  /** The peer may still go by the protocol's default until it has acknowledged our SETTINGS. */
  #resizeBytesMax: number;
  readonly #collector: Collector;
  readonly #cache: BytesCache<Result<DecodedBlock, HpackError>> | undefined;
  readonly #cursor: Cursor = { bytes: NO_BYTES, at: 0 };
  #broken: Result<DecodedBlock, HpackError> | undefined;

  constructor(options: DecoderOptions = {}) {
    this.#tableBytesMax = options.tableBytesMax ?? TABLE_BYTES_DEFAULT;
    this.#resizeBytesMax = Math.max(this.#tableBytesMax, TABLE_BYTES_DEFAULT);
    this.#cache = options.isCaching === false ? undefined : new BytesCache(BLOCK_BYTES_MAX);
    this.#collector = new Collector(
      options.listBytesMax ?? LIST_BYTES_MAX_DEFAULT,
      options.fieldsMax ?? FIELDS_MAX_DEFAULT,
    );
  }

  /** The peer has acknowledged the SETTINGS that said `tableBytesMax`: from now on it has to keep to that. */
  settingsAcknowledged(): void {
    this.#resizeBytesMax = this.#tableBytesMax;
    this.#cache?.clear();
  }

  /**
   * A whole block, which is that part of the bytes, out of HEADERS and all of its CONTINUATIONs. It is bounded by whoever gathers it. After a `compression`
   * error there is no going on, and every block answers that.
   *
   * A repeated block costs an eighth, through the cache (bench/hpack.bench.ts); and whoever is behind it knows its lists again.
   */
  decode(bytes: Buffer, start = 0, end = bytes.length): Result<DecodedBlock, HpackError> {
    if (this.#broken !== undefined) return this.#broken;
    const known = this.#cache?.find(bytes, start, end);
    if (known !== undefined) return known;
    const { generation } = this.#table;
    const reason = this.#readBlock(bytes.subarray(start, end));
    this.#cursor.bytes = NO_BYTES;
    if (reason !== undefined) {
      this.#broken = err({ kind: 'compression', reason });
      return this.#broken;
    }
    const result = this.#collector.take();
    if (this.#table.generation !== generation) this.#cache?.clear();
    else if (result.ok) this.#cache?.note(bytes, start, end, result);
    return result;
  }

  /** Why the table is out of step from here on, or undefined. */
  #readBlock(block: Buffer): string | undefined {
    const cursor = this.#cursor;
    cursor.bytes = block;
    cursor.at = 0;
    let reason = this.#readResizes(block);
    while (reason === undefined && cursor.at < block.length) {
      const first = block[cursor.at] ?? 0;
      if (first >= INDEXED) reason = this.#readIndexed(first);
      else if (first >= INSERTED) reason = this.#readInserted();
      else if (first >= RESIZE) reason = 'a table size update after a field';
      else reason = this.#readLiteral((first & NEVER_INDEXED) !== 0);
    }
    return reason;
  }

  /** Table size updates stand at the front of a block, and nowhere else (RFC 7541, 4.2). */
  #readResizes(block: Buffer): string | undefined {
    const cursor = this.#cursor;
    while (((block[cursor.at] ?? 0) & 0xe0) === RESIZE) {
      const bytes = readInteger(cursor, 5);
      if (bytes === NO_INTEGER) return 'a table size that is no integer';
      if (bytes > this.#resizeBytesMax) return 'a table size update beyond the limit';
      this.#table.resize(bytes);
    }
    const isOwed = this.#table.bytesMax > this.#resizeBytesMax && cursor.at < block.length;
    return isOwed ? 'no table size update after SETTINGS that demand one' : undefined;
  }

  #readIndexed(first: number): string | undefined {
    const cursor = this.#cursor;
    // Nearly always the index fits into its first byte.
    if (first < 0xff) cursor.at++;
    const field = this.#fieldAt(first < 0xff ? first & 0x7f : readInteger(cursor, 7));
    if (field === undefined) return 'an index that is in no table';
    this.#collector.add(field);
    return undefined;
  }

  #readInserted(): string | undefined {
    const field = this.#readField(6);
    if (typeof field === 'string') return field;
    this.#table.insert(field);
    this.#collector.add(field);
    return undefined;
  }

  #readLiteral(isNeverIndexed: boolean): string | undefined {
    const field = this.#readField(4);
    if (typeof field === 'string') return field;
    if (isNeverIndexed) this.#collector.addNeverIndexed(field);
    else this.#collector.add(field);
    return undefined;
  }

  /** A name, by index or as text, and a value as text. */
  #readField(prefixBits: number): Field | string {
    const index = readInteger(this.#cursor, prefixBits);
    if (index === NO_INTEGER) return 'an index that is no integer';
    const name = index === 0 ? this.#readName() : this.#fieldAt(index)?.judgedName;
    if (name === undefined) return index === 0 ? 'a name that is no text' : 'an index that is in no table';
    const value = this.#readText();
    return value === undefined ? 'a value that is no text' : judgeField(name, value);
  }

  #readName(): JudgedName | undefined {
    const { bytes, at } = this.#cursor;
    const first = bytes[at] ?? 0;
    const names = first < IS_HUFFMAN ? PLAIN_NAMES : HUFFMAN_NAMES;
    const end = at + 1 + (first & ~IS_HUFFMAN);
    const known = end <= bytes.length ? names.find(bytes, at + 1, end) : undefined;
    if (known !== undefined) {
      this.#cursor.at = end;
      return known;
    }
    const text = this.#readText();
    const name = text === undefined ? undefined : judgeName(text);
    if (name?.flaw === undefined && name !== undefined) names.note(bytes, at + 1, end, name);
    return name;
  }

  #fieldAt(index: number): Field | undefined {
    return index <= STATIC_COUNT ? STATIC_FIELDS[index - 1] : this.#table.entry(index - STATIC_COUNT - 1);
  }

  /** Undefined where the text goes on beyond the block, or is a broken Huffman code. */
  #readText(): string | undefined {
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const isHuffman = ((bytes[cursor.at] ?? 0) & IS_HUFFMAN) !== 0;
    const length = readInteger(cursor, 7);
    const start = cursor.at;
    const end = start + length;
    if (length === NO_INTEGER || end > bytes.length) return undefined;
    cursor.at = end;
    return isHuffman ? huffmanText(bytes, start, end) : bytes.toString('latin1', start, end);
  }
}

function huffmanText(bytes: Buffer, start: number, end: number): string | undefined {
  const bytesMax = decodedBytesMax(end - start);
  const to = bytesMax <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(bytesMax);
  const length = readHuffman(bytes, start, end, to);
  return length === NO_TEXT ? undefined : to.toString('latin1', 0, length);
}
