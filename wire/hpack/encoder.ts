// Fields to header blocks (RFC 7541, 6). One encoder for each direction of a connection; blocks are sent in the order in which
// they were made.
import { err, ok, type Result } from '../../kit/result.ts';
import { type FieldFlaw, flawIn, isFieldValue } from '../fields.ts';
import type { Fields } from '../message.ts';
import { type NeverIndexed, NONE_NEVER_INDEXED, type PseudoFields, TABLE_BYTES_DEFAULT } from './block.ts';
import { BlockWriter } from './block-writer.ts';
import { entryBytes } from './dynamic-table.ts';
import { EncoderTable, NO_INDEX } from './encoder-table.ts';
import { DEFAULT_NAMES, type KnownNames, NEW_NAME } from './indexing.ts';
import { Sightings } from './sightings.ts';

export interface EncoderOptions {
  /** The most that our table takes, whatever the peer would allow. */
  readonly tableBytesMax?: number;
  /** From `knownNames`. */
  readonly names?: KnownNames;
  /** When a field enters the table: when it is met first, or again not much later. */
  readonly insertAt?: 'first-sight' | 'second-sight';
}

const INDEXED = { flags: 0x80, prefixBits: 7 };
const INSERTED = { flags: 0x40, prefixBits: 6 };
const RESIZE = { flags: 0x20, prefixBits: 5 };
const NEVER_INDEXED = { flags: 0x10, prefixBits: 4 };
const LITERAL = { flags: 0, prefixBits: 4 };

/** One field may fill no more than half of the table: it would push out too much. */
const TABLE_SHARE_MAX = 0.5;

const WRITER = new BlockWriter();

/** What a list came to, while no index has moved. */
interface Encoded {
  readonly generation: number;
  readonly neverIndexed: NeverIndexed;
  readonly bytes: Buffer;
}

export class HpackEncoder {
  readonly #tableBytesMax: number;
  readonly #table = new EncoderTable(TABLE_BYTES_DEFAULT);
  readonly #names: KnownNames;
  readonly #sightings: Sightings | undefined;
  readonly #encoded = new WeakMap<Fields, Encoded>();
  /** The smallest size that the table has had since the last block; undefined if it has not changed. */
  #smallestBytes: number | undefined;
  /** In this block a field was sent that enters the table when it comes again. */
  #isUnsettled = false;

  constructor(options: EncoderOptions = {}) {
    this.#tableBytesMax = options.tableBytesMax ?? TABLE_BYTES_DEFAULT;
    this.#names = options.names ?? DEFAULT_NAMES;
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
   * A block of pseudo-header fields and fields, for `neverIndexed` see `DecodedBlock`. A flaw is found before anything is
   * written, and the table stays in step.
   *
   * A list that is met again, the very same object, costs a lookup: those of constant heads, and those that the decoder's
   * cache gives again and again.
   */
  encode(pseudo: PseudoFields, fields: Fields, neverIndexed = NONE_NEVER_INDEXED): Result<Buffer, FieldFlaw> {
    if (!isPseudoSound(pseudo)) return err('field-value');
    const known = this.#encoded.get(fields);
    const flaw = known === undefined ? flawIn(fields) : undefined;
    if (flaw !== undefined) return err(flaw);
    WRITER.begin();
    this.#writeResizes();
    this.#writePseudo(pseudo, neverIndexed);
    if (known?.generation === this.#table.generation && known.neverIndexed === neverIndexed) WRITER.append(known.bytes);
    else this.#writeFields(fields, neverIndexed);
    return ok(WRITER.take());
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
    const { status, method, scheme, authority, path, protocol } = pseudo;
    if (status !== undefined) this.#writeField(':status', status, neverIndexed);
    if (method !== undefined) this.#writeField(':method', method, neverIndexed);
    if (scheme !== undefined) this.#writeField(':scheme', scheme, neverIndexed);
    if (authority !== undefined) this.#writeField(':authority', authority, neverIndexed);
    if (path !== undefined) this.#writeField(':path', path, neverIndexed);
    if (protocol !== undefined) this.#writeField(':protocol', protocol, neverIndexed);
  }

  /** Keeps the bytes where they would be the same next time. */
  #writeFields(fields: Fields, neverIndexed: NeverIndexed): void {
    const from = WRITER.length;
    const { generation } = this.#table;
    this.#isUnsettled = false;
    for (let i = 0; i < fields.length; i += 2) this.#writeField(fields[i] ?? '', fields[i + 1] ?? '', neverIndexed);
    if (this.#isUnsettled || this.#table.generation !== generation) return;
    this.#encoded.set(fields, { generation, neverIndexed, bytes: WRITER.keep(from) });
  }

  #writeField(name: string, value: string, neverIndexed: NeverIndexed): void {
    const { indexing, inStatic } = this.#names.get(name) ?? NEW_NAME;
    const isSecret = indexing === 'never' || (neverIndexed.size > 0 && neverIndexed.has(name));
    const index = isSecret ? NO_INDEX : (inStatic?.values.get(value) ?? this.#table.indexOf(name, value));
    if (index !== NO_INDEX) {
      WRITER.integer(INDEXED.flags, INDEXED.prefixBits, index);
      return;
    }
    const nameIndex = inStatic?.index ?? this.#table.indexOfName(name);
    if (isSecret) writeLiteral(NEVER_INDEXED, nameIndex, name, value);
    else if (indexing === 'table' && this.#isTimeToInsert(name, value)) this.#insert(nameIndex, name, value);
    else writeLiteral(LITERAL, nameIndex, name, value);
  }

  #insert(nameIndex: number, name: string, value: string): void {
    writeLiteral(INSERTED, nameIndex, name, value);
    this.#table.insert(name, value);
  }

  #isTimeToInsert(name: string, value: string): boolean {
    if (entryBytes(name, value) > this.#table.bytesMax * TABLE_SHARE_MAX) return false;
    if (this.#sightings === undefined || this.#sightings.meet(name, value)) return true;
    this.#isUnsettled = true;
    return false;
  }
}

function writeLiteral(kind: typeof LITERAL, nameIndex: number, name: string, value: string): void {
  WRITER.integer(kind.flags, kind.prefixBits, nameIndex);
  if (nameIndex === NO_INDEX) WRITER.text(name);
  WRITER.text(value);
}

function isPseudoSound({ status, method, scheme, authority, path, protocol }: PseudoFields): boolean {
  return (
    isSound(status) && isSound(method) && isSound(scheme) && isSound(authority) && isSound(path) && isSound(protocol)
  );
}

function isSound(value: string | undefined): boolean {
  return value === undefined || isFieldValue(value);
}
