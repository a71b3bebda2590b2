// Gathers the fields of one block within its bounds, and keeps the pseudo-header fields apart.
//
// The first thing that is wrong decides the answer. What follows it is no longer kept, only read, because the table has to
// stay in step: so a block of one-byte references to one large entry costs no memory.
import { err, ok, type Result } from '../../kit/result.ts';
import { type DecodedBlock, type HpackError, NO_PSEUDO, NONE_NEVER_INDEXED, type PseudoFields } from './block.ts';
import { entryBytes } from './dynamic-table.ts';
import type { Field } from './field.ts';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export class Collector {
  readonly #listBytesMax: number;
  readonly #fieldsMax: number;
  #listBytes = 0;
  #fields: string[] = [];
  #pseudo: Writable<PseudoFields> | undefined;
  #neverIndexed: Set<string> | undefined;
  #error: HpackError | undefined;

  constructor(listBytesMax: number, fieldsMax: number) {
    this.#listBytesMax = listBytesMax;
    this.#fieldsMax = fieldsMax;
  }

  add(field: Field): void {
    if (this.#error !== undefined) return;
    this.#listBytes += entryBytes(field.name, field.value);
    if (this.#listBytes > this.#listBytesMax) this.#error = { kind: 'limit', reason: 'head-bytes' };
    else if (field.flaw !== undefined) this.#error = { kind: 'malformed', reason: field.flaw };
    else if (field.judgedName.pseudo !== undefined) this.#addPseudo(field.judgedName.pseudo, field.value);
    else if (this.#fields.length >= this.#fieldsMax * 2) this.#error = { kind: 'limit', reason: 'head-fields' };
    else this.#fields.push(field.name, field.value);
  }

  /** A field that never enters a table, with us or further on. */
  addNeverIndexed(field: Field): void {
    this.add(field);
    if (this.#error !== undefined) return;
    this.#neverIndexed ??= new Set();
    this.#neverIndexed.add(field.name);
  }

  /** The block, and an empty collector for the next one. */
  take(): Result<DecodedBlock, HpackError> {
    const error = this.#error;
    const block: DecodedBlock = {
      pseudo: this.#pseudo ?? NO_PSEUDO,
      fields: this.#fields,
      neverIndexed: this.#neverIndexed ?? NONE_NEVER_INDEXED,
      reading: undefined,
    };
    this.#listBytes = 0;
    this.#fields = [];
    this.#pseudo = undefined;
    this.#neverIndexed = undefined;
    this.#error = undefined;
    return error === undefined ? ok(block) : err(error);
  }

  #addPseudo(key: keyof PseudoFields, value: string): void {
    this.#pseudo ??= noPseudo();
    if (this.#fields.length > 0) this.#error = { kind: 'malformed', reason: 'pseudo-field-late' };
    else if (this.#pseudo[key] !== undefined) this.#error = { kind: 'malformed', reason: 'pseudo-field-twice' };
    else this.#pseudo[key] = value;
  }
}

/** Written out: a spread would take twice as long. */
function noPseudo(): Writable<PseudoFields> {
  return {
    method: undefined,
    scheme: undefined,
    authority: undefined,
    path: undefined,
    protocol: undefined,
    status: undefined,
  };
}
