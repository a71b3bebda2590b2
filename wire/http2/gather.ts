// Header blocks out of HEADERS and the CONTINUATIONs that follow it (RFC 9113, 6.2 and 6.10).
import { checkContinuation } from './frame-check.ts';
import { ErrorCode, type Fault, Flag, malformed } from './protocol.ts';

export interface HeaderBlock {
  readonly id: number;
  readonly isEnd: boolean;
  readonly bytes: Buffer;
}

export type Gathered =
  | { readonly kind: 'block'; readonly block: HeaderBlock }
  | { readonly kind: 'more' }
  | { readonly kind: 'fault'; readonly fault: Fault };

const MORE: Gathered = { kind: 'more' };
const PRIORITY_BYTES = 5;

/** Plain HEADERS, as nearly all are: the payload is the block. */
export function isWholeBlock(flags: number): boolean {
  return (flags & (Flag.END_HEADERS | Flag.PADDED | Flag.PRIORITY)) === Flag.END_HEADERS;
}

export class HeaderGatherer {
  readonly #blockBytesMax: number;
  #begun: { readonly id: number; readonly isEnd: boolean; readonly pieces: Buffer[]; bytes: number } | undefined;

  constructor(blockBytesMax: number) {
    this.#blockBytesMax = blockBytesMax;
  }

  /** Until the block is whole no other frame may come. */
  get isAmidBlock(): boolean {
    return this.#begun !== undefined;
  }

  headers(flags: number, id: number, payload: Buffer): Gathered {
    const fragment = withoutPadding(flags, payload);
    if (fragment === undefined) return fault(malformed('HEADERS with more padding than payload'));
    if (fragment.length < priorityBytes(flags))
      return fault(malformed('HEADERS without the priority it announces', ErrorCode.FRAME_SIZE_ERROR));
    if (priorityBytes(flags) > 0 && dependsOn(fragment) === id)
      return fault(malformed('a stream that depends on itself'));
    const bytes = fragment.subarray(priorityBytes(flags));
    const isEnd = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) return { kind: 'block', block: { id, isEnd, bytes } };
    this.#begun = { id, isEnd, pieces: [bytes], bytes: bytes.length };
    return MORE;
  }

  continuation(flags: number, id: number, payload: Buffer): Gathered {
    const begun = this.#begun;
    if (begun === undefined || begun.id !== id) return fault(malformed('CONTINUATION of nothing'));
    begun.pieces.push(payload);
    begun.bytes += payload.length;
    const broken = checkContinuation(begun.pieces.length - 1, begun.bytes, this.#blockBytesMax);
    if (broken !== undefined) return fault(broken);
    if ((flags & Flag.END_HEADERS) === 0) return MORE;
    this.#begun = undefined;
    return { kind: 'block', block: { id, isEnd: begun.isEnd, bytes: Buffer.concat(begun.pieces) } };
  }
}

function fault(broken: Fault): Gathered {
  return { kind: 'fault', fault: broken };
}

function withoutPadding(flags: number, payload: Buffer): Buffer | undefined {
  if ((flags & Flag.PADDED) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || padding > payload.length - 1) return undefined;
  return payload.subarray(1, payload.length - padding);
}

/** The stream that a priority, which we ignore, puts another one under. */
export function dependsOn(priority: Buffer): number {
  return priority.readUInt32BE(0) & 0x7fff_ffff;
}

function priorityBytes(flags: number): number {
  return (flags & Flag.PRIORITY) === 0 ? 0 : PRIORITY_BYTES;
}
