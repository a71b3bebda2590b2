// The messages between a workload and the certificate authority (sentry.proto), to bytes and back.
import { ok, type Result } from '../../kit/result.ts';
import { allBytes, lastBytes, lastNumber, lastUtf8, ProtoWriter, readFields } from './protobuf.ts';

/** The gRPC path of the one method. */
export const SIGN_CERTIFICATE_PATH = '/dapr.proto.sentry.v1.CA/SignCertificate';

/** SignCertificateRequest.TokenValidator. */
export const TOKEN_VALIDATORS = ['unknown', 'insecure', 'kubernetes', 'jwks'] as const;
export type TokenValidator = (typeof TOKEN_VALIDATORS)[number];

export interface SignRequest {
  readonly appId: string;
  readonly namespace: string;
  readonly trustDomain: string;
  readonly token: string;
  readonly validator: TokenValidator;
  /** PKCS #10 in PEM. */
  readonly csr: Buffer;
}

export interface SignReply {
  /** PEM: the leaf, then the issuer. */
  readonly chain: Buffer;
  /** PEM: the trust anchors. */
  readonly anchors: readonly Buffer[];
  /** Epoch milliseconds. */
  readonly validUntil: number;
}

export function encodeSignRequest(request: SignRequest): Buffer {
  const writer = new ProtoWriter();
  writer.utf8(1, request.appId);
  writer.utf8(2, request.token);
  writer.utf8(3, request.trustDomain);
  writer.utf8(4, request.namespace);
  writer.bytes(5, request.csr);
  writer.uint(6, TOKEN_VALIDATORS.indexOf(request.validator));
  return writer.finish();
}

export function decodeSignRequest(bytes: Buffer): Result<SignRequest> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  return ok({
    appId: lastUtf8(fields.value, 1),
    token: lastUtf8(fields.value, 2),
    trustDomain: lastUtf8(fields.value, 3),
    namespace: lastUtf8(fields.value, 4),
    csr: lastBytes(fields.value, 5) ?? Buffer.alloc(0),
    validator: TOKEN_VALIDATORS[lastNumber(fields.value, 6)] ?? 'unknown',
  });
}

export function encodeSignReply(reply: SignReply): Buffer {
  const writer = new ProtoWriter(4096);
  writer.bytes(1, reply.chain);
  for (const anchor of reply.anchors) writer.bytes(2, anchor);
  writer.message(3, (timestamp) => {
    timestamp.uint(1, Math.floor(reply.validUntil / 1000));
    timestamp.uint(2, Math.floor((reply.validUntil % 1000) * 1e6));
  });
  return writer.finish();
}

export function decodeSignReply(bytes: Buffer): Result<SignReply> {
  const fields = readFields(bytes);
  if (!fields.ok) return fields;
  const timestamp = readFields(lastBytes(fields.value, 3) ?? Buffer.alloc(0));
  if (!timestamp.ok) return timestamp;
  return ok({
    chain: lastBytes(fields.value, 1) ?? Buffer.alloc(0),
    anchors: allBytes(fields.value, 2),
    validUntil: lastNumber(timestamp.value, 1) * 1000 + lastNumber(timestamp.value, 2) / 1e6,
  });
}
