// How a fault reads as an HTTP answer.
import { describe, expect, test } from 'vitest';
import { type FaultCode, fault } from '../../api/fault.ts';
import { headerValue } from '../../api/headers.ts';
import { httpRefusal } from './refuse.ts';

const ROWS: readonly (readonly [FaultCode, number, number])[] = [
  ['bad-request', 400, 500],
  ['token-invalid', 401, 401],
  ['denied', 403, 403],
  ['no-target', 404, 404],
  ['unknown-app', 404, 500],
  ['method-refused', 405, 500],
  ['body-too-large', 413, 500],
  ['headers-too-large', 431, 500],
  ['app-broke', 502, 500],
  ['app-unreachable', 503, 500],
  ['timeout', 504, 500],
];

describe.each(ROWS)('%s', (code, honest, dapr) => {
  test(`is ${honest}, or ${dapr} as Dapr counts`, () => {
    expect(httpRefusal(fault(code, 'why'), 'honest').head.status).toBe(honest);
    expect(httpRefusal(fault(code, 'why'), 'dapr').head.status).toBe(dapr);
  });

  test('names itself in a header and in JSON, and keeps its cause to the log', () => {
    const { head, body } = httpRefusal(fault(code, 'what “to” do', '10.0.0.1 refused'), 'honest');
    expect(headerValue(head.fields, 'invoke-fault')).toBe(code);
    expect(head.bodyBytes).toBe(body.length);
    expect(JSON.parse(body.toString())).toEqual({
      errorCode: 'ERR_DIRECT_INVOKE',
      message: 'what “to” do',
      details: { fault: code },
    });
  });
});

test('only what heals by itself says when to come back, and only a refused verb which ones there are', () => {
  const said = (code: FaultCode, name: string) => headerValue(httpRefusal(fault(code, ''), 'honest').head.fields, name);
  expect([said('not-ready', 'retry-after'), said('app-broke', 'retry-after')]).toEqual(['1', undefined]);
  expect([said('method-refused', 'allow'), said('denied', 'allow')]).toEqual([
    expect.stringContaining('PATCH'),
    undefined,
  ]);
});
