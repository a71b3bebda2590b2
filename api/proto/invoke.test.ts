// The messages of OnInvoke, against another implementation of protobuf that reads our .proto files.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import { decodeInvokeResponse, encodeInvokeRequestFront } from './invoke.ts';
import { VERBS } from './peer.ts';
import { anyBytes, anyText, byteString, hostile, oracleDecode, oracleEncode } from './testing-schema.ts';

const COMMON = 'dapr.proto.common.v1';

const anyRequest = fc.record({
  method: anyText,
  contentType: anyText,
  verb: fc.integer({ min: 1, max: VERBS.length - 1 }),
  query: anyText,
  dataTypeUrl: anyText,
});
const anyResponse = fc
  .record({ data: fc.record({ type_url: anyText, value: anyBytes }), content_type: anyText })
  .map((message) => ({ message, bytes: oracleEncode(`${COMMON}.InvokeResponse`, message) }));

test('a request and the body behind it are one message to another implementation', () => {
  fc.assert(
    fc.property(anyRequest, anyBytes, ({ method, contentType, verb, query, dataTypeUrl }, body) => {
      const strings = { method: byteString(method), contentType: byteString(contentType), query: byteString(query) };
      const head = { ...strings, verb, dataTypeUrl: byteString(dataTypeUrl) };
      const front = Buffer.from(encodeInvokeRequestFront(head, body.length), 'latin1');
      expect(oracleDecode(`${COMMON}.InvokeRequest`, Buffer.concat([front, body]))).toEqual({
        method,
        content_type: contentType,
        data: { type_url: dataTypeUrl, value: body },
        http_extension: { verb: VERBS[verb], querystring: query },
      });
    }),
  );
});

test('a response of another implementation says to us what it says', () => {
  fc.assert(
    fc.property(anyResponse, ({ message, bytes }) => {
      expect(must(decodeInvokeResponse(bytes))).toEqual({
        contentType: byteString(message.content_type),
        dataTypeUrl: byteString(message.data.type_url),
        body: message.data.value,
      });
    }),
  );
  expect(must(decodeInvokeResponse(Buffer.alloc(0)))).toEqual({
    contentType: '',
    dataTypeUrl: '',
    body: Buffer.alloc(0),
  });
});

test('hostile bytes end in a response or in an error', () => {
  fc.assert(
    fc.property(hostile(anyResponse.map(({ bytes }) => bytes)), (bytes) => {
      const read = decodeInvokeResponse(bytes);
      if (!read.ok) expect(read.error).not.toBe('');
    }),
    { numRuns: 1000 },
  );
});
