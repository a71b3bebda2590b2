// Trace context: a valid one passes untouched, a broken one is replaced whole, and there always is one.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headerValues } from './headers.ts';
import { isTraceparent, traceBin, traced } from './trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const VALID = `00-${TRACE}-${SPAN}-01`;

test.each([
  VALID,
  `00-${TRACE}-${SPAN}-00`,
  `00-${TRACE}-${SPAN}-ff`,
  `cc-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01-what`,
])('%s is a traceparent', (text) => {
  expect(isTraceparent(text)).toBe(true);
});

test.each([
  ...['', 'x', `ff-${TRACE}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`],
  ...[VALID.toUpperCase(), `${VALID}-what`, `${VALID}-`, `${VALID} `, ` ${VALID}`, `${VALID}\n`, `${VALID}x`],
  ...[`cc-${TRACE}-${SPAN}-01x`, `00-${TRACE}${SPAN}-01`, `0-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-1`],
  ...[`00-${TRACE.slice(1)}-${SPAN}-01`, `00-g${TRACE.slice(1)}-${SPAN}-01`, `${VALID},${VALID}`],
])('%j is no traceparent', (text) => {
  expect(isTraceparent(text)).toBe(false);
});

describe('a call', () => {
  test('with a trace continues it, untouched', () => {
    const headers = ['accept', 'a', 'traceparent', VALID, 'tracestate', 'vendor=1', 'tracestate', 'other=2'];
    expect(traced(headers, () => 0.5)).toBe(headers);
  });

  test('without one starts one, behind its other headers', () => {
    expect(traced(['accept', 'a'], () => 0.5)).toEqual([
      ...['accept', 'a'],
      ...['traceparent', `00-${'80000000'.repeat(4)}-${'80000000'.repeat(2)}-01`],
    ]);
  });

  test.each([
    ['a broken one', ['traceparent', 'x', 'tracestate', 'vendor=1']],
    ['two of them', ['traceparent', VALID, 'accept', 'a', 'traceparent', VALID, 'tracestate', 'vendor=1']],
    ['one that no trace has', ['tracestate', 'vendor=1', 'traceparent', `00-${'0'.repeat(32)}-${SPAN}-01`]],
  ])('with %s starts a new one, and the state of the old one goes', (_, headers) => {
    const made = traced(headers, () => 0.25);
    const [parent, ...more] = headerValues(made, 'traceparent');
    expect(more).toEqual([]);
    expect(headers).not.toContain(parent);
    expect(isTraceparent(parent ?? '')).toBe(true);
    expect(headerValues(made, 'tracestate')).toEqual([]);
  });

  test('has a valid traceparent whatever chance says', () => {
    const chances = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(chances, (values) => {
        let drawn = 0;
        const [parent = ''] = headerValues(
          traced([], () => values[drawn++ % values.length] ?? 0),
          'traceparent',
        );
        expect(isTraceparent(parent)).toBe(true);
      }),
      { examples: [[[0]]] },
    );
  });
});

describe('in binary, as OpenCensus has it,', () => {
  test('a trace is its three parts', () => {
    const bytes = Buffer.from(traceBin(`00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`) ?? '', 'base64');
    expect(bytes.toString('hex')).toBe(`0000${'ab'.repeat(16)}01${'cd'.repeat(8)}0201`);
  });

  test('what is no trace is nothing', () => {
    for (const text of ['', 'x', `00-${'0'.repeat(32)}-${'cd'.repeat(8)}-01`]) expect(traceBin(text)).toBeUndefined();
  });
});
