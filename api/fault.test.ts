// The closed list of faults, against what each means to a caller. A new fault does not compile here without its row.
import { describe, expect, test } from 'vitest';
import {
  daprHttpStatus,
  type FaultCode,
  fault,
  faultCodeOfGrpcStatus,
  grpcStatus,
  httpStatus,
  isFaultCode,
  mayBeSentAgain,
  retryAfterSec,
} from './fault.ts';

const HTTP_STATUS: Readonly<Record<FaultCode, number>> = {
  'bad-request': 400,
  'token-invalid': 401,
  denied: 403,
  'origin-refused': 403,
  'no-target': 404,
  'unknown-app': 404,
  'method-refused': 405,
  'body-too-large': 413,
  'headers-too-large': 431,
  'rate-limited': 429,
  cancelled: 499,
  internal: 500,
  unimplemented: 501,
  loop: 508,
  'peer-broke': 502,
  'app-broke': 502,
  'external-broke': 502,
  'not-ready': 503,
  draining: 503,
  'no-endpoint': 503,
  'breaker-open': 503,
  'limit-reached': 503,
  'peer-unreachable': 503,
  'peer-untrusted': 503,
  'peer-downgraded': 503,
  'peer-closing': 503,
  'app-unreachable': 503,
  'app-unhealthy': 503,
  'app-busy': 503,
  'app-closing': 503,
  'external-unreachable': 503,
  'external-untrusted': 503,
  'external-closing': 503,
  timeout: 504,
};
const CODES = Object.keys(HTTP_STATUS).filter(isFaultCode);

test('every fault has the status that tells the truth about it', () => {
  expect(CODES).toHaveLength(Object.keys(HTTP_STATUS).length);
  for (const code of CODES) expect([code, httpStatus(code)]).toEqual([code, HTTP_STATUS[code]]);
});

test.each(CODES)('%s fails in gRPC too, with a status that exists', (code) => {
  expect(grpcStatus(code)).toBeGreaterThan(0);
  expect(grpcStatus(code)).toBeLessThanOrEqual(16);
});

test.each(CODES)(
  '%s: nothing is sent again unless nothing reached the app, and then the caller may come back',
  (code) => {
    if (mayBeSentAgain(code) !== 'never') expect(httpStatus(code)).toBe(503);
    expect(retryAfterSec(code) !== undefined).toBe(httpStatus(code) === 503);
  },
);

test('an app that may have seen the call is never asked again by us', () => {
  for (const code of ['peer-broke', 'app-broke', 'timeout', 'cancelled'] as const) {
    expect(mayBeSentAgain(code)).toBe('never');
  }
});

describe('a peer that names no fault', () => {
  test.each([
    [1, 'peer-broke'],
    [3, 'bad-request'],
    [4, 'timeout'],
    [5, 'unknown-app'],
    [7, 'denied'],
    [8, 'body-too-large'],
    [12, 'unimplemented'],
    [13, 'app-broke'],
    [16, 'denied'],
  ])('means with status %i: %s', (status, code) => {
    expect(faultCodeOfGrpcStatus(status)).toBe(code);
  });

  test.each([2, 9, 10, 11, 14, 15, 17, -1, 1.5, Number.NaN])('means with status %d that it broke', (status) => {
    expect(faultCodeOfGrpcStatus(status)).toBe('peer-broke');
  });

  test('is never asked again elsewhere: it did not say that the app saw nothing', () => {
    for (let status = 0; status <= 16; status++) expect(mayBeSentAgain(faultCodeOfGrpcStatus(status))).toBe('never');
  });
});

test.each(['', 'Denied', 'unknown', 'constructor', '__proto__', 'toString'])('%j is no fault', (text) => {
  expect(isFaultCode(text)).toBe(false);
});

test('in the manner of Dapr every status that it has no number for is 500', () => {
  const own = CODES.filter((code) => daprHttpStatus(code) !== 500).map((code) => [code, daprHttpStatus(code)]);
  expect(Object.fromEntries(own)).toEqual({
    'token-invalid': 401,
    denied: 403,
    'origin-refused': 403,
    'no-target': 404,
    'rate-limited': 429,
  });
});

test('a fault without a cause has none, not an undefined one', () => {
  expect(Object.keys(fault('denied', 'no'))).toEqual(['code', 'message']);
  expect(fault('denied', 'no', 'rule 7')).toEqual({ code: 'denied', message: 'no', cause: 'rule 7' });
});
