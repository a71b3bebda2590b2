// The messages of the app's gRPC API, against another implementation of protobuf.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { outcomeTrailers } from '../grpc-status.ts';
import { headerValue } from '../headers.ts';
import { decodeRpcStatus, encodeErrorInfo, encodeRpcStatus } from './rpc-status.ts';
import { decodeInvokeServiceRequest, decodeSetMetadata, encodeInvokeResponse, encodeMetadata } from './runtime.ts';
import { anyBytes, anyText, byteString, hostile, joined, oracleDecode, oracleEncode } from './testing-schema.ts';

const RUNTIME = 'dapr.proto.runtime.v1';

const anyInvoke = fc.record({
  id: anyText,
  message: fc.record({
    method: anyText,
    data: fc.record({ type_url: anyText, value: anyBytes }),
    content_type: anyText,
    http_extension: fc.record({ verb: fc.nat({ max: 9 }), querystring: anyText }),
  }),
});

test('a call is read as it was written, its strings as bytes', () => {
  fc.assert(
    fc.property(anyInvoke, (call) => {
      const { id, message } = call;
      expect(decodeInvokeServiceRequest(oracleEncode(`${RUNTIME}.InvokeServiceRequest`, call))).toEqual({
        ok: true,
        value: {
          id: byteString(id),
          message: {
            method: byteString(message.method),
            dataTypeUrl: byteString(message.data.type_url),
            body: message.data.value,
            contentType: byteString(message.content_type),
            verb: message.http_extension.verb,
            query: byteString(message.http_extension.querystring),
          },
        },
      });
    }),
  );
});

test('what is no message is told so or read, and never breaks', () => {
  const messages = anyInvoke.map((call) => oracleEncode(`${RUNTIME}.InvokeServiceRequest`, call));
  fc.assert(
    fc.property(hostile(messages), (bytes) => {
      for (const decode of [decodeInvokeServiceRequest, decodeSetMetadata, decodeRpcStatus])
        expect(typeof decode(bytes).ok).toBe('boolean');
    }),
  );
});

test('an answer arrives as it is', () => {
  fc.assert(
    fc.property(anyText, anyBytes, anyText, (typeUrl, body, contentType) => {
      const response = { dataTypeUrl: byteString(typeUrl), body, contentType: byteString(contentType) };
      expect(oracleDecode('dapr.proto.common.v1.InvokeResponse', joined(encodeInvokeResponse(response)))).toEqual({
        data: { type_url: typeUrl, value: body },
        content_type: contentType,
      });
    }),
  );
});

test('metadata arrives as it is', () => {
  const texts = fc.dictionary(
    anyText.filter((key) => key !== '__proto__'),
    anyText,
  );
  fc.assert(
    fc.property(texts, fc.array(anyText), fc.nat({ max: 65_535 }), (extended, names, port) => {
      const bytes = encodeMetadata({
        ...{ id: 'web', runtimeVersion: '1.0', enabledFeatures: names, extended },
        httpEndpoints: names.map((name) => ({ name })),
        resiliencies: names.map((name) => ({ name })),
        appConnectionProperties: { port, protocol: 'http', channelAddress: '::1' },
      });
      expect(oracleDecode(`${RUNTIME}.GetMetadataResponse`, bytes)).toMatchObject({
        ...{
          id: 'web',
          runtime_version: '1.0',
          extended_metadata: extended,
          http_endpoints: names.map((name) => ({ name })),
          resiliencies: names.map((name) => ({ name })),
        },
        app_connection_properties: { port, protocol: 'http', channel_address: '::1' },
      });
    }),
  );
});

test('a value for metadata is read as it was written', () => {
  fc.assert(
    fc.property(anyText, anyText, (key, value) => {
      const bytes = oracleEncode(`${RUNTIME}.SetMetadataRequest`, { key, value });
      expect(decodeSetMetadata(bytes)).toEqual({ ok: true, value: { key, value } });
    }),
  );
});

test('a status comes out of its trailers as it went in', () => {
  const info = encodeErrorInfo({ reason: 'Not Found', domain: 'dapr.io', metadata: { 'http.code': '404' } });
  const outcomes = fc.record({
    code: fc.nat({ max: 16 }),
    message: anyText,
    details: fc.array(fc.constantFrom(info, Buffer.alloc(0)), { minLength: 1, maxLength: 3 }),
  });
  fc.assert(
    fc.property(outcomes, (outcome) => {
      const trailers = outcomeTrailers(outcome);
      const bytes = Buffer.from(headerValue(trailers, 'grpc-status-details-bin') ?? '', 'base64');
      expect(decodeRpcStatus(bytes)).toEqual({ ok: true, value: outcome });
      expect(headerValue(trailers, 'grpc-status')).toBe(String(outcome.code));
    }),
  );
});

test('details that no head has room for are left out, and the status is not', () => {
  const outcome = { code: 5, message: 'gone', details: [Buffer.alloc(40_000)] };
  expect(outcomeTrailers(outcome)).toEqual(['grpc-status', '5', 'grpc-message', 'gone']);
  expect(encodeRpcStatus({ code: 0, message: '', details: [] })).toHaveLength(0);
});
