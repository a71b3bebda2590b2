// What lists of fields came to as bytes, found by the identity of the list, while no index of the table has moved; and with
// them the whole blocks, where the pseudo-header fields are those of the time before.
//
// A list is kept from the second time that it is met: to note one that never comes again would cost more than to encode
// it, since the collector has to see to every entry of a WeakMap.
import { ok, type Result } from '../../kit/result.ts';
import type { Fields } from '../message.ts';
import type { NeverIndexed, PseudoFields } from './block.ts';
import type { BlockWriter } from './block-writer.ts';

/** How many lists are remembered as met, and so kept alive. */
const LATELY_COUNT = 8;
const BYTES_MAX = 1024;

/** A list, while its generation is the table's. */
export interface KeptList {
  readonly generation: number;
  readonly neverIndexed: NeverIndexed;
  readonly bytes: Buffer;
  /** What went before it the last time. */
  pseudo: PseudoFields | undefined;
  /** With that. */
  block: Result<Buffer, never> | undefined;
}

export class EncodedLists {
  readonly #kept = new WeakMap<Fields, KeptList>();
  readonly #lately: (Fields | undefined)[] = new Array(LATELY_COUNT).fill(undefined);
  #next = 0;

  find(fields: Fields, generation: number, neverIndexed: NeverIndexed): KeptList | undefined {
    const kept = this.#kept.get(fields);
    return kept?.generation === generation && kept.neverIndexed === neverIndexed ? kept : undefined;
  }

  /** What stands in the writer, from there on, is this list. */
  note(fields: Fields, generation: number, neverIndexed: NeverIndexed, writer: BlockWriter, from: number): void {
    if (writer.length - from > BYTES_MAX) return;
    if (this.#lately.includes(fields)) {
      const bytes = writer.keep(from);
      this.#kept.set(fields, { generation, neverIndexed, bytes, pseudo: undefined, block: undefined });
    } else {
      this.#lately[this.#next] = fields;
      this.#next = (this.#next + 1) % LATELY_COUNT;
    }
  }

  /** What stands in the writer is a kept list, after these pseudo-header fields. It too is kept when they come again. */
  noteBlock(kept: KeptList, pseudo: PseudoFields, writer: BlockWriter): void {
    if (kept.pseudo === undefined || !isSame(kept.pseudo, pseudo)) {
      kept.pseudo = pseudo;
      kept.block = undefined;
    } else if (writer.length <= BYTES_MAX) {
      kept.block = ok(writer.keep(0));
    }
  }
}

/** The block of a list that was kept with just these. */
export function blockWith(kept: KeptList, pseudo: PseudoFields): Result<Buffer, never> | undefined {
  return kept.block !== undefined && kept.pseudo !== undefined && isSame(kept.pseudo, pseudo) ? kept.block : undefined;
}

function isSame(a: PseudoFields, b: PseudoFields): boolean {
  if (a === b) return true;
  const isSameTarget = a.method === b.method && a.scheme === b.scheme && a.authority === b.authority;
  return isSameTarget && a.path === b.path && a.protocol === b.protocol && a.status === b.status;
}
