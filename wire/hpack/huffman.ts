// The Huffman code of HPACK (RFC 7541, 5.2 and Appendix B).
//
// The code is canonical: sorted by length, then by symbol, the codes are consecutive numbers. So the lengths alone give it.

/** Of the code of each byte value in turn and of EOS at last: one digit in base 36, `5` for 5 bits up to `u` for 30. */
const CODE_LENGTHS =
  'dnsssssssoussussssssssusssssssss' +
  '6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq' +
  'u';

const EOS = 256;
const SHORTEST_BITS = 5;
const LONGEST_BITS = 30;
/** Codes of up to this many bits (letters, digits, most signs of a URL) are found in one step. */
const SHORT_BITS = 9;
const WINDOW_BITS = 32;

const LENGTH_OF = Uint8Array.from(CODE_LENGTHS, (digit) => Number.parseInt(digit, 36));
const SYMBOLS = Uint16Array.from(LENGTH_OF.keys()).sort((a, b) => (LENGTH_OF[a] ?? 0) - (LENGTH_OF[b] ?? 0) || a - b);
const CODE_OF = new Uint32Array(SYMBOLS.length);
/** By the next 9 bits: the symbol, with the length of its code above the low 8 bits; 0 where the code is longer. */
const SHORT = new Uint16Array(1 << SHORT_BITS);
/** By length: the first 32 bits that stand beyond all codes of that length and less, as a number without sign. */
const LIMIT = new Float64Array(LONGEST_BITS + 1);
/** By length: what to add to a code to find its place in `SYMBOLS`. */
const PLACE = new Int32Array(LONGEST_BITS + 1);
fillTables();

function fillTables(): void {
  let code = 0;
  let length = 0;
  SYMBOLS.forEach((symbol, place) => {
    const longer = LENGTH_OF[symbol] ?? 0;
    code <<= longer - length;
    length = longer;
    CODE_OF[symbol] = code;
    PLACE[length] = place - code;
    if (length <= SHORT_BITS) {
      const spare = SHORT_BITS - length;
      SHORT.fill((length << 8) | symbol, code << spare, (code + 1) << spare);
    }
    code++;
    LIMIT[length] = code * 2 ** (WINDOW_BITS - length);
  });
}

/** The code of a byte, as a number of so many bits. */
export function codeOf(symbol: number): { readonly code: number; readonly bits: number } {
  return { code: CODE_OF[symbol] ?? 0, bits: LENGTH_OF[symbol] ?? 0 };
}

/** How many bytes the code of a text takes. */
export function huffmanBytes(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTH_OF[text.charCodeAt(i)] ?? 0;
  return (bits + 7) >>> 3;
}

/** Writes the code of a text, one byte a character, and says where it ends. */
export function writeHuffman(to: Uint8Array, at: number, text: string): number {
  let held = 0;
  let heldBits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    const code = CODE_OF[symbol] ?? 0;
    let bits = LENGTH_OF[symbol] ?? 0;
    // Fewer than 8 bits are held over, so that 24 more have room in 32. The longest codes go in two steps.
    if (bits > 24) {
      held = (held << 8) | (code >>> (bits - 8));
      to[at++] = held >>> heldBits;
      bits -= 8;
    }
    held = (held << bits) | (code & ((1 << bits) - 1));
    heldBits += bits;
    while (heldBits >= 8) {
      heldBits -= 8;
      to[at++] = held >>> heldBits;
    }
  }
  // The rest of the last byte is ones, the front of EOS.
  if (heldBits > 0) to[at++] = (held << (8 - heldBits)) | (0xff >>> heldBits);
  return at;
}

/** A code cannot stand for more bytes than this. */
export function decodedBytesMax(codeBytes: number): number {
  return Math.floor((codeBytes * 8) / SHORTEST_BITS);
}

/** What `readHuffman` answers where it was no code: EOS within it, or padding that is not the front of EOS, or too long. */
export const NO_TEXT = -1;

/**
 * Reads the code in `bytes` from `at` up to `end` into `to`, which has room for `decodedBytesMax`, and says how many bytes it
 * stands for, or `NO_TEXT`.
 *
 * A table by the next 9 bits finds nearly every character in one step: three times as fast as walking the tree bit by
 * bit (bench/hpack.bench.ts). Past the end the window is filled with ones, as the padding is.
 */
export function readHuffman(bytes: Uint8Array, at: number, end: number, to: Uint8Array): number {
  let window = 0;
  let windowBits = 0;
  let bitsLeft = (end - at) * 8;
  let written = 0;
  while (bitsLeft >= SHORTEST_BITS) {
    for (; windowBits <= WINDOW_BITS - 8; windowBits += 8) {
      window |= (at < end ? (bytes[at] ?? 0) : 0xff) << (WINDOW_BITS - 8 - windowBits);
      at++;
    }
    let found = SHORT[window >>> (WINDOW_BITS - SHORT_BITS)] ?? 0;
    if (found === 0) {
      const next = at < end ? (bytes[at] ?? 0) : 0xff;
      found = findLong((window | (next >>> (windowBits - (WINDOW_BITS - 8)))) >>> 0);
    }
    const bits = found >>> 8;
    if (bits === 0 || bits > bitsLeft) break;
    to[written++] = found & 0xff;
    window <<= bits;
    windowBits -= bits;
    bitsLeft -= bits;
  }
  return isPadding(bytes[end - 1] ?? 0, bitsLeft) ? written : NO_TEXT;
}

/** The symbol and length of a code that is longer than the table knows, from the next 32 bits; 0 of EOS. */
function findLong(window: number): number {
  for (let length = SHORT_BITS + 1; length <= LONGEST_BITS; length++) {
    if (window >= (LIMIT[length] ?? 0)) continue;
    const symbol = SYMBOLS[(PLACE[length] ?? 0) + (window >>> (WINDOW_BITS - length))] ?? EOS;
    return symbol === EOS ? 0 : (length << 8) | symbol;
  }
  return 0;
}

/** Less than a byte, all ones: anything else would be a second way to write the same text. */
function isPadding(lastByte: number, bitsLeft: number): boolean {
  const ones = (1 << bitsLeft) - 1;
  return bitsLeft < 8 && (lastByte & ones) === ones;
}
