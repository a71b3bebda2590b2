// Reading a stream of call messages: however the bytes are cut, the head, the body and the trailers are the same, and of a
// large piece nothing is held that could be passed on.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RequestHeadMessage } from '../../api/proto/peer.ts';
import { encodeRequest } from '../../api/proto/peer-encoding.ts';
import { joined, oracleEncode } from '../../api/proto/testing-schema.ts';
import { must } from '../../kit/result.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { REQUEST_CODEC, StreamReader } from './streamed.ts';

const HEAD: RequestHeadMessage = { verb: 'POST', path: '/a', isCanonicalPath: true, query: 'q=1', headers: ['x', '1'] };
const TRAILERS = ['x-sum', '7'];

function bytesOf(pieces: readonly Buffer[]): Buffer {
  const messages = pieces.map((data, seq) =>
    joined(encodeRequest({ head: seq === 0 ? HEAD : undefined, data, seq, trailers: [] })),
  );
  const last = joined(encodeRequest({ head: undefined, data: undefined, seq: 0, trailers: TRAILERS }));
  return Buffer.concat([...messages, last].map(frameMessage));
}

function read(chunks: readonly Buffer[]) {
  const reader = new StreamReader(REQUEST_CODEC);
  const messages = chunks.flatMap((chunk) => must(reader.push(chunk)));
  return {
    heads: messages.flatMap(({ head }) => head ?? []),
    body: Buffer.concat(messages.map(({ data }) => data ?? Buffer.alloc(0))),
    trailers: messages.flatMap(({ trailers }) => trailers),
    isComplete: reader.isComplete,
  };
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

test('however it is cut, a stream says the same', () => {
  const piece = fc.integer({ min: 0, max: 3000 }).map((length) => Buffer.alloc(length, 'abcdefg'));
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), fc.array(fc.nat()), (pieces, places) => {
      const said = read(cutAt(bytesOf(pieces), places));
      expect(said.heads).toEqual([HEAD]);
      expect(said.body.equals(Buffer.concat(pieces))).toBe(true);
      expect(said.trailers).toEqual(TRAILERS);
      expect(said.isComplete).toBe(true);
    }),
  );
});

test('of a large piece, what has arrived is passed on, and nothing is held', () => {
  const reader = new StreamReader(REQUEST_CODEC);
  const bytes = bytesOf([Buffer.alloc(60_000, 'x')]);
  const [first] = must(reader.push(bytes.subarray(0, 16_384)));
  expect(first?.head).toEqual(HEAD);
  expect(first?.data?.length).toBeGreaterThan(16_000);
  expect(reader.heldBytes).toBe(0);
  expect(reader.isComplete).toBe(false);
  expect(must(reader.push(bytes.subarray(16_384, 32_768)))).toMatchObject([{ head: undefined, trailers: [] }]);
});

test('a peer that numbers a piece after its bytes, as Dapr does, is read once the message is whole', () => {
  const reader = new StreamReader(REQUEST_CODEC);
  const message = oracleEncode('dapr.proto.internals.v1.InternalInvokeRequestStream', {
    request: { ver: 1, message: { method: 'a', http_extension: { verb: 1 } } },
    payload: { data: Buffer.alloc(5000, 'y'), seq: 0 },
  });
  // Field 2, the number, written behind the data: `seq` is 0 and so left out above.
  const numbered = frameMessage(message);
  expect(must(reader.push(numbered.subarray(0, 3000))).length).toBeLessThanOrEqual(1);
  const second = oracleEncode('dapr.proto.internals.v1.InternalInvokeRequestStream', {
    payload: { data: Buffer.alloc(5000, 'z'), seq: 1 },
  });
  must(reader.push(numbered.subarray(3000)));
  const framed = frameMessage(second);
  expect(must(reader.push(framed.subarray(0, 3000)))).toEqual([]);
  expect(reader.heldBytes).toBe(3000);
  const [whole] = must(reader.push(framed.subarray(3000)));
  expect(whole).toMatchObject({ seq: 1 });
  expect(whole?.data?.length).toBe(5000);
});

test('a piece out of its order is refused as soon as its number is known', () => {
  const reader = new StreamReader(REQUEST_CODEC);
  const late = joined(encodeRequest({ head: HEAD, data: Buffer.alloc(50_000), seq: 3, trailers: [] }));
  expect(reader.push(frameMessage(late).subarray(0, 1000))).toMatchObject({ ok: false });
});

test('a reader that is dropped holds nothing', () => {
  const reader = new StreamReader(REQUEST_CODEC);
  must(reader.push(bytesOf([Buffer.alloc(3000)]).subarray(0, 9)));
  expect(reader.heldBytes).toBe(9);
  reader.drop();
  expect(reader.heldBytes).toBe(0);
});
