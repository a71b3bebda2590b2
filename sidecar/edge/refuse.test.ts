// How a fault reads as an HTTP answer.
import { describe, expect, test } from 'vitest';
import { type FaultCode, fault } from '../../api/fault.ts';
import { headerValue } from '../../api/headers.ts';
import { httpRefusal, httpRefusalBytes } from './refuse.ts';

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
    expect(httpRefusal(fault(code, 'why'), 'honest').status).toBe(honest);
    expect(httpRefusal(fault(code, 'why'), 'dapr').status).toBe(dapr);
  });

  test('names itself in a header and in JSON, and keeps its cause to the log', () => {
    const { headers, body } = httpRefusal(fault(code, 'what “to” do', '10.0.0.1 refused'), 'honest');
    expect(headerValue(headers, 'invoke-fault')).toBe(code);
    expect(headerValue(headers, 'content-length')).toBe(String(body.length));
    expect(JSON.parse(body.toString())).toEqual({
      errorCode: 'ERR_DIRECT_INVOKE',
      message: 'what “to” do',
      details: { fault: code },
    });
  });
});

test('only what heals by itself says when to come back, and only a refused verb which ones there are', () => {
  const said = (code: FaultCode, name: string) => headerValue(httpRefusal(fault(code, ''), 'honest').headers, name);
  expect([said('not-ready', 'retry-after'), said('app-broke', 'retry-after')]).toEqual(['1', undefined]);
  expect([said('method-refused', 'allow'), said('denied', 'allow')]).toEqual([
    expect.stringContaining('PATCH'),
    undefined,
  ]);
});

test('written by hand it is one whole response that closes its connection', () => {
  const text = httpRefusalBytes(fault('bad-request', 'é'), 'honest').toString('latin1');
  const [head = '', body = ''] = text.split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 400 [^\r\n]*\r\n/);
  expect(head).toMatch(/\r\nconnection: close$/);
  expect(head).toContain(`\r\ncontent-length: ${body.length}\r\n`);
});
