// What each trick of wire/hpack gains over the plain way: `node bench/hpack.bench.ts`.
import { must } from '../kit/result.ts';
import { NO_PSEUDO, type PseudoFields } from '../wire/hpack/block.ts';
import { HpackDecoder } from '../wire/hpack/decoder.ts';
import { HpackEncoder } from '../wire/hpack/encoder.ts';
import { codeOf, huffmanBytes, readHuffman, writeHuffman } from '../wire/hpack/huffman.ts';
import { knownNames, SECRET_NAMES } from '../wire/hpack/indexing.ts';
import type { Fields } from '../wire/message.ts';
import { printComparison } from './compare.ts';

const LISTS = 1000;

const REQUEST: PseudoFields = {
  ...{ ...NO_PSEUDO, method: 'POST', scheme: 'https', authority: 'shop.shop:50002' },
  path: '/dapr.proto.internals.v1.ServiceInvocation/CallLocalStream',
};
const STABLE: Fields = [
  ...['content-type', 'application/grpc', 'te', 'trailers', 'user-agent', 'invoke/1'],
  ...['accept', '*/*', 'x-tenant', 'north'],
];

const traceparent = (turn: number) => `00-${turn.toString(16).padStart(32, '4bf92f3577b34da6')}-00f067aa0ba902b7-01`;
const volatile = (turn: number) => ['traceparent', traceparent(turn), 'grpc-timeout', `${100_000 + turn}u`];
const lists = Array.from({ length: LISTS }, (_, turn) => [...STABLE, ...volatile(turn)]);
const listOf = (turn: number) => lists[turn % LISTS] ?? STABLE;

decoderCache();
encoderCache();
huffmanByTable();
plainTexts();
secondSight();

/** A head that looks like the one before it. */
function decoderCache(): void {
  const encoder = new HpackEncoder();
  const [caching, reading] = [new HpackDecoder(), new HpackDecoder({ isCaching: false })];
  let block: Buffer = Buffer.alloc(0);
  for (let i = 0; i < 4; i++) {
    block = must(encoder.encode(REQUEST, STABLE));
    must(caching.decode(block));
    must(reading.decode(block));
  }
  printComparison({
    title: 'decoder: a repeated block is found by its bytes',
    plain: () => reading.decode(block),
    trick: () => caching.decode(block),
  });
  const blocks = lists.map((list) => must(encoder.encode(REQUEST, list)));
  printComparison({
    title: 'the same of a block that never repeats: what looking costs',
    plain: (turn) => reading.decode(blocks[turn % LISTS] ?? block),
    trick: (turn) => caching.decode(blocks[turn % LISTS] ?? block),
  });
}

/** A list of fields that goes on as it came, or is a constant. */
function encoderCache(): void {
  const [first, second] = [new HpackEncoder(), new HpackEncoder()];
  printComparison({
    title: 'encoder: a repeated list is found by its identity',
    plain: () => first.encode(REQUEST, [...STABLE]),
    trick: () => [second.encode(REQUEST, STABLE), [...STABLE]],
  });
  printComparison({
    title: 'the same with another path each time',
    plain: (turn) => first.encode({ ...REQUEST, path: `/${turn}` }, [...STABLE]),
    trick: (turn) => [second.encode({ ...REQUEST, path: `/${turn}` }, STABLE), [...STABLE]],
  });
}

function huffmanByTable(): void {
  const tree = treeOf();
  for (const text of ['www.example.com', traceparent(7), 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0)']) {
    const code = Buffer.alloc(huffmanBytes(text));
    writeHuffman(code, 0, text);
    const to = Buffer.alloc(4096);
    printComparison({
      title: `Huffman: a table of 9 bits, and not the tree bit by bit (${text.slice(0, 15)})`,
      plain: () => walkTree(tree, code, to),
      trick: () => readHuffman(code, 0, code.length, to),
    });
  }
}

/** What is said once, as text and not as a Huffman code: written here and read at the peer. */
function plainTexts(): void {
  const to = Buffer.alloc(4096);
  printComparison({
    title: 'a trace id there and back as text, and not as a Huffman code',
    plain: (turn) => {
      const text = traceparent(turn);
      const end = huffmanBytes(text) + 1;
      return to.toString('latin1', 1000, 1000 + readHuffman(to, 1, writeHuffman(to, 1, text), to.subarray(1000))) + end;
    },
    trick: (turn) => {
      const text = traceparent(turn);
      const end = 1 + to.write(text, 1, 'latin1');
      return to.toString('latin1', 1, end) + end;
    },
  });
}

/** Calls whose path holds an id, and a field that nobody listed as volatile: encoded and decoded. */
function secondSight(): void {
  const pair = (insertAt: 'first-sight' | 'second-sight', volatileNames: string[]) => {
    const encoder = new HpackEncoder({ insertAt, names: knownNames(volatileNames, SECRET_NAMES) });
    const decoder = new HpackDecoder();
    return (turn: number) => {
      const fields = [...STABLE, 'x-session-of-an-app', traceparent(turn)];
      return decoder.decode(must(encoder.encode({ ...REQUEST, path: `/v1/orders/${turn}` }, fields)));
    };
  };
  printComparison({
    title: 'a field enters the table at second sight, and not at first',
    plain: pair('first-sight', []),
    trick: pair('second-sight', []),
  });
  const heads = (volatileNames: string[]) => {
    const encoder = new HpackEncoder({ insertAt: 'first-sight', names: knownNames(volatileNames, SECRET_NAMES) });
    const decoder = new HpackDecoder();
    return (turn: number) => decoder.decode(must(encoder.encode(REQUEST, [...listOf(turn)])));
  };
  printComparison({
    title: 'volatile fields never enter it',
    plain: heads([]),
    trick: heads(['traceparent', 'grpc-timeout']),
  });
}

/** The code as a tree of pairs; a leaf is a number. */
interface Tree {
  readonly [bit: number]: Tree | number;
}

function treeOf(): Tree {
  const root: Record<number, Tree | number> = {};
  for (let symbol = 0; symbol < 256; symbol++) {
    const { code, bits } = codeOf(symbol);
    let node: Record<number, Tree | number> = root;
    for (let bit = bits - 1; bit > 0; bit--) {
      const side = (code >>> bit) & 1;
      const next = node[side];
      const below = typeof next === 'object' ? next : {};
      node[side] = below;
      node = below;
    }
    node[code & 1] = symbol;
  }
  return root;
}

function walkTree(root: Tree, code: Buffer, to: Buffer): number {
  let node = root;
  let written = 0;
  for (const byte of code) {
    for (let bit = 7; bit >= 0; bit--) {
      const next = node[(byte >>> bit) & 1];
      if (typeof next === 'number') to[written++] = next;
      node = typeof next === 'object' ? next : root;
    }
  }
  return written;
}
