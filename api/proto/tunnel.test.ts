// The messages of a tunnel, against another implementation of protobuf that reads our .proto file.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import { decodeUnaryRequest } from './peer-decoding.ts';
import { encodeUnaryReply, encodeUnaryRequest } from './peer-encoding.ts';
import { anyBytes, anyText, byteString, hostile, joined, oracleDecode, oracleEncode } from './testing-schema.ts';
import { decodeTunnel, encodeTunnel, type TunnelMessage } from './tunnel.ts';

const REQUEST = 'invoke.v1.TunnelRequest';
const REPLY = 'invoke.v1.TunnelReply';
const NO_BYTES = Buffer.alloc(0);
const HEAD = { verb: 'GET', path: '/chat', isCanonicalPath: true, query: 'a=1', headers: ['x', '1'] };

const message: fc.Arbitrary<TunnelMessage> = fc.record({
  head: fc.option(anyBytes, { nil: undefined }),
  protocol: anyText.map(byteString),
  data: fc.option(anyBytes, { nil: undefined }),
  isEnd: fc.boolean(),
});

test('what is written is read', () => {
  fc.assert(
    fc.property(message, (written) => {
      expect(must(decodeTunnel(joined(encodeTunnel(written))))).toEqual(written);
    }),
  );
});

test('a request is read by others, and theirs by us', () => {
  const head = encodeUnaryRequest(HEAD, NO_BYTES);
  const bytes = joined(encodeTunnel({ head, protocol: 'websocket', data: Buffer.from('first'), isEnd: false }));
  expect(oracleDecode(REQUEST, bytes)).toMatchObject({
    head: { message: { method: 'chat', http_extension: { verb: 'GET', querystring: 'a=1' } }, canonical_path: true },
    protocol: 'websocket',
    data: Buffer.from('first'),
  });
  const theirs = { head: { message: { method: 'b', http_extension: { verb: 1 } } }, protocol: 'talk' };
  const read = must(decodeTunnel(oracleEncode(REQUEST, theirs)));
  expect(read).toMatchObject({ protocol: 'talk', data: undefined, isEnd: false });
  expect(must(decodeUnaryRequest(read.head ?? NO_BYTES)).head).toMatchObject({ verb: 'GET', path: '/b' });
});

test('a reply is read by others, and theirs by us', () => {
  const head = encodeUnaryReply({ status: 101, headers: ['x', '1'] }, NO_BYTES);
  expect(oracleDecode(REPLY, joined(encodeTunnel({ head, protocol: '', data: undefined, isEnd: true })))).toMatchObject(
    {
      head: { status: { code: 101 }, headers: { x: { values: ['1'] } } },
      end: true,
    },
  );
  expect(must(decodeTunnel(oracleEncode(REPLY, { data: Buffer.from('x'), end: true })))).toEqual({
    ...{ head: undefined, protocol: '' },
    ...{ data: Buffer.from('x'), isEnd: true },
  });
});

test('bytes that are no message are refused or read, and nothing else happens', () => {
  const real = message.map((written) => joined(encodeTunnel(written)));
  fc.assert(fc.property(hostile(real), (bytes) => void decodeTunnel(bytes)));
});
