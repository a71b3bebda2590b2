// Faults in gRPC's trailers, there and back; and what a peer may not say of us.
import { expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { type FaultCode, fault } from './fault.ts';
import { faultOfTrailers, faultTrailers, grpcStatusOfHttp, httpStatusOfGrpc } from './grpc-status.ts';
import { headerValue } from './headers.ts';
import { decodeAny, decodeRpcStatus } from './proto/rpc-status.ts';

test.each<FaultCode>([
  'bad-request',
  'denied',
  'body-too-large',
  'draining',
  'app-unreachable',
  'app-broke',
  'timeout',
])('%s that the callee finds is what the caller hears, in the same words', (code) => {
  const said = fault(code, 'über 100% of "it"\nfailed', 'an address that stays here');
  const heard = faultOfTrailers(faultTrailers(said));
  expect(heard?.code).toBe(code);
  expect(heard?.message).toContain('über 100% of "it"');
  expect(JSON.stringify(heard)).not.toContain('stays here');
});

test.each([
  [3, 3],
  [86_400, 86_400],
])('when to come back (%i s) is heard with the fault', (sec, heard) => {
  const said = { ...fault('rate-limited', 'too often'), retryAfterSec: sec };
  expect(faultOfTrailers(faultTrailers(said))).toEqual({ ...said, retryAfterSec: heard });
});

test.each([
  ['1', 1],
  ['1001', 2],
  ['0', 1],
  ['-1', undefined],
  ['1e3', undefined],
  ['9999999999', undefined],
])('a pushback of %s ms is %o s to come back in', (ms, sec) => {
  const heard = faultOfTrailers([
    'grpc-status',
    '8',
    'invoke-fault',
    'rate-limited',
    ...['grpc-retry-pushback-ms', ms],
  ]);
  expect([heard?.code, heard?.retryAfterSec]).toEqual(['rate-limited', sec]);
});

test('an app is told when to come back by a google.rpc.RetryInfo, too', () => {
  const trailers = faultTrailers({ ...fault('rate-limited', 'too often'), retryAfterSec: 7 });
  const details = Buffer.from(headerValue(trailers, 'grpc-status-details-bin') ?? '', 'base64');
  const status = must(decodeRpcStatus(details));
  expect(status).toMatchObject({ code: 8, message: 'too often' });
  const [detail] = status.details.map((one) => must(decodeAny(one)));
  expect(detail?.typeUrl).toBe('type.googleapis.com/google.rpc.RetryInfo');
  expect(detail?.value).toEqual(Buffer.from([0x0a, 0x02, 0x08, 7]));
});

test('success is no fault', () => {
  expect(faultOfTrailers(['grpc-status', '0'])).toBeUndefined();
});

test('trailers without a status are a failure of unknown kind', () => {
  expect(faultOfTrailers([])?.code).toBe('peer-broke');
});

test.each<FaultCode>(['token-invalid', 'origin-refused', 'cancelled', 'peer-untrusted', 'peer-closing', 'unknown-app'])(
  'a peer that names %s, which only this side can find, is heard by its status alone',
  (code) => {
    const heard = faultOfTrailers(['grpc-status', '13', 'grpc-message', 'x', 'invoke-fault', code]);
    expect(heard?.code).toBe('app-broke');
  },
);

test('a message is one printable line of bounded length', () => {
  const heard = faultOfTrailers(['grpc-status', '13', 'grpc-message', `%0D%0A%1B[2J${'x'.repeat(30_000)}`]);
  expect(heard?.message.length).toBeLessThan(1100);
  expect(heard?.message).toMatch(/^[\x20-\x7e…]*$/);
});

test('what is said of a fault is of bounded length: it shares its connection', () => {
  const said = faultTrailers(fault('app-broke', '%'.repeat(30_000)));
  expect(said.join('').length).toBeLessThan(4000);
});

test("an app's status of gRPC has one in HTTP, and back as Dapr has it", () => {
  expect([0, 1, 3, 4, 5, 7, 8, 13, 14, 16, 99].map(httpStatusOfGrpc)).toEqual([
    200, 408, 400, 504, 404, 403, 429, 500, 503, 401, 500,
  ]);
  expect([200, 204, 400, 401, 404, 409, 418, 429, 503, 504].map(grpcStatusOfHttp)).toEqual([
    0, 0, 13, 16, 5, 6, 2, 8, 14, 4,
  ]);
});
