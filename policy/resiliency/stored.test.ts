// A Resiliency is read as its schema reads it, without the schema.
import { describe, expect, test } from 'vitest';
import { parseTrustDomain } from '../../api/ids.ts';
import { readResiliency } from '../../api/resources/resiliency.ts';
import { BAD_EXAMPLES, GOOD_EXAMPLES } from '../../api/resources/testing/examples.ts';
import { must } from '../../kit/result.ts';
import { compileOutbound } from './compile.ts';
import { compileInbound } from './inbound.ts';
import { readStoredResiliency } from './stored.ts';
import { target } from './testing/plans.ts';

type Examples = readonly { readonly object: { readonly kind: string; readonly spec: object } }[];

function specsOf(examples: Examples): readonly object[] {
  return examples.filter(({ object }) => object.kind === 'Resiliency').map(({ object }) => object.spec);
}

test.each(specsOf(GOOD_EXAMPLES))('what the API server takes is read as the schema reads it: %j', (spec) => {
  expect(must(readStoredResiliency(spec))).toEqual(must(readResiliency(spec)));
});

test('nothing is a spec, and says nothing', () => {
  expect(must(readStoredResiliency({}))).toEqual(must(readResiliency({})));
});

describe('what the schema refuses', () => {
  test.each(specsOf(BAD_EXAMPLES))('is refused, or can be made plans of: %j', (spec) => {
    const read = readStoredResiliency(spec);
    if (!read.ok) return;
    const placed = [{ namespace: 'front', name: 'x', createdMs: 0, spec: read.value }];
    compileOutbound(target('web'), placed).planFor(target('orders'));
    compileInbound({ ...target('web'), trustDomain: must(parseTrustDomain('test.local')) }, placed);
  });

  test('is refused where a name stands for nothing', () => {
    const spec = { targets: { apps: { orders: { routes: [{ name: 'pay', retry: 'often' }] } } } };
    expect(readStoredResiliency(spec)).toEqual({
      ok: false,
      error: 'targets.apps[orders]: retry names "often", which policies.retries does not have',
    });
  });
});
