// The messages to the certificate authority, against another implementation of protobuf that reads our .proto file.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../kit/result.ts';
import {
  decodeSignReply,
  decodeSignRequest,
  encodeSignReply,
  encodeSignRequest,
  SIGN_CERTIFICATE_PATH,
  type SignReply,
  type SignRequest,
  TOKEN_VALIDATORS,
} from './sentry.ts';
import { anyBytes, anyText, hostile, oracleDecode, oracleEncode, schema } from './testing-schema.ts';

const REQUEST = 'dapr.proto.sentry.v1.SignCertificateRequest';
const RESPONSE = 'dapr.proto.sentry.v1.SignCertificateResponse';

const signRequest: fc.Arbitrary<SignRequest> = fc.record({
  appId: anyText,
  namespace: anyText,
  trustDomain: anyText,
  token: anyText,
  validator: fc.constantFrom(...TOKEN_VALIDATORS),
  csr: anyBytes,
});
const signReply: fc.Arbitrary<SignReply> = fc.record({
  chain: anyBytes,
  anchors: fc.array(anyBytes, { maxLength: 4 }),
  validUntil: fc.nat({ max: 8.64e15 }),
});

test('the path names the one method of the service', () => {
  const [method] = schema.lookupService('dapr.proto.sentry.v1.CA').methodsArray;
  expect(SIGN_CERTIFICATE_PATH).toBe(`/dapr.proto.sentry.v1.CA/${method?.name}`);
});

test('a request says to another implementation what it says to us', () => {
  fc.assert(
    fc.property(signRequest, (request) => {
      const message = {
        id: request.appId,
        token: request.token,
        trust_domain: request.trustDomain,
        namespace: request.namespace,
        certificate_signing_request: request.csr,
        token_validator: TOKEN_VALIDATORS.indexOf(request.validator),
        jwt_audiences: ['of no interest'],
      };
      expect(must(decodeSignRequest(oracleEncode(REQUEST, message)))).toEqual(request);
      expect(oracleDecode(REQUEST, encodeSignRequest(request))).toEqual({
        ...message,
        token_validator: request.validator.toUpperCase(),
        jwt_audiences: [],
      });
      expect(must(decodeSignRequest(encodeSignRequest(request)))).toEqual(request);
    }),
  );
});

test('a reply says to another implementation what it says to us', () => {
  fc.assert(
    fc.property(signReply, (reply) => {
      const seconds = Math.floor(reply.validUntil / 1000);
      const message = {
        workload_certificate: reply.chain,
        trust_chain_certificates: [...reply.anchors],
        valid_until: { seconds, nanos: (reply.validUntil % 1000) * 1e6 },
      };
      expect(must(decodeSignReply(oracleEncode(RESPONSE, message)))).toEqual(reply);
      expect(oracleDecode(RESPONSE, encodeSignReply(reply))).toEqual({ ...message, jwt: '', per_audience_jwts: {} });
      expect(must(decodeSignReply(encodeSignReply(reply)))).toEqual(reply);
    }),
  );
});

test('a kind of token that we do not know is unknown', () => {
  const bytes = oracleEncode(REQUEST, { id: 'web', token_validator: 3 });
  bytes[bytes.length - 1] = 99;
  expect(must(decodeSignRequest(bytes)).validator).toBe('unknown');
});

test('hostile bytes end in a message or in an error', () => {
  fc.assert(
    fc.property(hostile(signRequest.map(encodeSignRequest)), hostile(signReply.map(encodeSignReply)), (a, b) => {
      expect(typeof decodeSignRequest(a).ok).toBe('boolean');
      expect(typeof decodeSignReply(b).ok).toBe('boolean');
    }),
    { numRuns: 1000 },
  );
  expect(decodeSignReply(Buffer.from([0x1a, 0x01, 0x08])).ok).toBe(false);
});
