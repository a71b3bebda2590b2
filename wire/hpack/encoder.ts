// Fields to header blocks (RFC 7541, 6). One encoder for each direction of a connection; blocks are sent in the order in which
// they were made.
import { err, ok, type Result } from '../../kit/result.ts';
import { type FieldFlaw, isFieldName, isFieldValue } from '../fields.ts';
import type { Fields } from '../message.ts';
import { type NeverIndexed, NONE_NEVER_INDEXED, type PseudoFields, TABLE_BYTES_DEFAULT } from './block.ts';
import { BlockWriter } from './block-writer.ts';
import { entryBytes } from './dynamic-table.ts';
import { blockWith, EncodedLists } from './encoded-lists.ts';
import { EncoderTable, NONE } from './encoder-table.ts';
import { DEFAULT_NAMES, type KnownNames, NEW_NAME } from './indexing.ts';
import { Sightings } from './sightings.ts';

export interface EncoderOptions {
  /** The most that our table takes, whatever the peer would allow. */
  readonly tableBytesMax?: number;
  /** Which names are secret and which change with every message; from `knownNames`. */
  readonly names?: KnownNames;
  /** When a field enters the table: when it is met first, or again not much later. */
  readonly insertAt?: 'first-sight' | 'second-sight';
}

/** The first bits of a representation, and how many bits of its first byte are left for an integer. */
const INDEXED = { flags: 0x80, prefixBits: 7 };
const INSERTED = { flags: 0x40, prefixBits: 6 };
const RESIZE = { flags: 0x20, prefixBits: 5 };
const NEVER_INDEXED = { flags: 0x10, prefixBits: 4 };
const PASSING = { flags: 0, prefixBits: 4 };

/** One field may fill no more than half of the table: it would push out too much. */
const TABLE_SHARE_MAX = 0.5;

const WRITER = new BlockWriter();

export class HpackEncoder {
  readonly #tableBytesMax: number;
  readonly #table: EncoderTable;
  readonly #sightings: Sightings | undefined;
  readonly #lists = new EncodedLists();
  /** The smallest size that the table has had since the last block; undefined if it has not changed. */
  #smallestBytes: number | undefined;
  /** Of the block that is being written: a field enters the table when it comes again. */
  #isUnsettled = false;
  #flaw: FieldFlaw | undefined;

  constructor(options: EncoderOptions = {}) {
    this.#tableBytesMax = options.tableBytesMax ?? TABLE_BYTES_DEFAULT;
    this.#table = new EncoderTable(TABLE_BYTES_DEFAULT, options.names ?? DEFAULT_NAMES);
    this.#sightings = options.insertAt === 'first-sight' ? undefined : new Sightings();
    this.peerAllowsTable(TABLE_BYTES_DEFAULT);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. The next block says what we make of it. */
  peerAllowsTable(bytes: number): void {
    const bytesMax = Math.min(bytes, this.#tableBytesMax);
    if (bytesMax === this.#table.bytesMax) return;
    this.#table.resize(bytesMax);
    this.#smallestBytes = Math.min(bytesMax, this.#smallestBytes ?? bytesMax);
  }

  /**
   * A block of pseudo-header fields and fields; `neverIndexed` as in `DecodedBlock`. A list with a flaw makes no block, and
   * the table stays in step. A block may be given out more than once, and is not to be written to.
   *
   * The very same list again costs a look-up, a tenth (bench/hpack.bench.ts): those of constant heads, and those that the decoder's cache gives again and
   * again. So a list that was handed over must not be changed.
   */
  encode(pseudo: PseudoFields, fields: Fields, neverIndexed = NONE_NEVER_INDEXED): Result<Buffer, FieldFlaw> {
    const { generation } = this.#table;
    const kept = this.#lists.find(fields, generation, neverIndexed);
    const block = kept && blockWith(kept, pseudo);
    if (block !== undefined) return block;
    WRITER.begin();
    this.#flaw = undefined;
    this.#isUnsettled = false;
    this.#writeResizes();
    this.#writePseudo(pseudo, neverIndexed);
    if (kept === undefined || generation !== this.#table.generation) {
      this.#writeFields(fields, neverIndexed);
    } else {
      WRITER.append(kept.bytes);
      if (!this.#isUnsettled && this.#flaw === undefined) this.#lists.noteBlock(kept, pseudo, WRITER);
    }
    return this.#flaw === undefined ? ok(WRITER.take()) : this.#giveUp(this.#flaw);
  }

  /** The peer will not see this block: neither what it put into the table, nor a size that it told. The next one empties both. */
  #giveUp(flaw: FieldFlaw): Result<Buffer, FieldFlaw> {
    const { bytesMax } = this.#table;
    this.#table.resize(0);
    this.#table.resize(bytesMax);
    this.#smallestBytes = 0;
    return err(flaw);
  }

  /** RFC 7541, 4.2: where the size went down and up again, the smallest has to be said too. */
  #writeResizes(): void {
    if (this.#smallestBytes === undefined) return;
    const { bytesMax } = this.#table;
    if (this.#smallestBytes < bytesMax) WRITER.integer(RESIZE.flags, RESIZE.prefixBits, this.#smallestBytes);
    WRITER.integer(RESIZE.flags, RESIZE.prefixBits, bytesMax);
    this.#smallestBytes = undefined;
  }

  #writePseudo(pseudo: PseudoFields, neverIndexed: NeverIndexed): void {
    const { status, method, scheme, path, authority, protocol } = pseudo;
    if (status !== undefined) this.#writeField(':status', status, neverIndexed);
    if (method !== undefined) this.#writeField(':method', method, neverIndexed);
    if (scheme !== undefined) this.#writeField(':scheme', scheme, neverIndexed);
    if (path !== undefined) this.#writeField(':path', path, neverIndexed);
    if (authority !== undefined) this.#writeField(':authority', authority, neverIndexed);
    if (protocol !== undefined) this.#writeField(':protocol', protocol, neverIndexed);
  }

  /** Keeps the bytes where they would be the same next time. */
  #writeFields(fields: Fields, neverIndexed: NeverIndexed): void {
    const from = WRITER.length;
    const { generation } = this.#table;
    this.#isUnsettled = false;
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i] ?? '';
      // A colon would make it a pseudo-header field.
      if (name.startsWith(':')) this.#flaw = 'field-name';
      this.#writeField(name, fields[i + 1] ?? '', neverIndexed);
    }
    const isSettled = !this.#isUnsettled && this.#flaw === undefined && this.#table.generation === generation;
    if (isSettled) this.#lists.note(fields, generation, neverIndexed, WRITER, from);
  }

  #writeField(name: string, value: string, neverIndexed: NeverIndexed): void {
    const inTable = this.#table.name(name);
    const isSecret = inTable?.indexing === 'never' || (neverIndexed.size > 0 && neverIndexed.has(name));
    const index = isSecret || inTable === undefined ? NONE : this.#table.indexOf(inTable, value);
    // What is in a table was judged when it came there.
    if (index !== NONE) WRITER.integer(INDEXED.flags, INDEXED.prefixBits, index);
    else this.#writeLiteral(name, value, isSecret);
  }

  #writeLiteral(name: string, value: string, isSecret: boolean): void {
    const inTable = this.#table.name(name);
    const nameIndex = inTable === undefined ? NONE : this.#table.indexOfName(inTable);
    if (nameIndex === NONE && !isFieldName(name) && name !== ':protocol') this.#flaw ??= 'field-name';
    if (!isFieldValue(value)) this.#flaw ??= 'field-value';
    const { indexing } = inTable ?? NEW_NAME;
    const isInserted = !isSecret && indexing === 'table' && this.#isTimeToInsert(name, value);
    const kind = isInserted ? INSERTED : isSecret ? NEVER_INDEXED : PASSING;
    WRITER.integer(kind.flags, kind.prefixBits, nameIndex);
    // The Huffman code saves a quarter of the bytes and takes three times as long, here and at the peer
    // (bench/hpack.bench.ts). That pays for what is said once and stays.
    if (nameIndex === NONE) WRITER.text(name, isInserted);
    WRITER.text(value, isInserted);
    if (isInserted) this.#table.insert(name, value);
  }

  #isTimeToInsert(name: string, value: string): boolean {
    if (entryBytes(name, value) > this.#table.bytesMax * TABLE_SHARE_MAX) return false;
    if (this.#sightings === undefined || this.#sightings.meet(name, value)) return true;
    this.#isUnsettled = true;
    return false;
  }
}
