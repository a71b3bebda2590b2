// The picture of the ledger.
import { expect, test } from 'vitest';
import { drawLedger } from './chart.ts';
import type { LedgerEntry } from './ledger.ts';

const LINE: LedgerEntry = {
  ...{
    at: '2026-01-02T03:04:05.678Z',
    commit: '0123456789ab',
    machine: 'some',
    workload: 'http-1k-at-1000',
    pair: 'invoke',
  },
  ...{ callsPerSecond: 1000, cpuMicrosPerCall: 200, addedMicros: { p50: 220, p90: 440, p99: -5 } },
  ...{ rssMb: 75, anonymousMb: 24, readyMs: null },
};

const widths = (svg: string) =>
  [...svg.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));

test('bars are as long as their share of the longest beside them', () => {
  const envoy = { ...LINE, pair: 'envoy', cpuMicrosPerCall: 400, callsPerSecond: 500 };
  const [cpu, calls, , , , envoyCpu, envoyCalls] = widths(drawLedger([LINE, envoy]));
  expect([cpu, envoyCpu]).toEqual([60, 120]);
  expect([calls, envoyCalls]).toEqual([120, 60]);
});

test('what was added below nothing has no length, and what is not known no bar', () => {
  expect(widths(drawLedger([LINE]))).toEqual([120, 120, 120, 0, 120]);
  expect(widths(drawLedger([{ ...LINE, cpuMicrosPerCall: null }]))).toHaveLength(4);
});

test('of each workload, the last run is drawn and none before it', () => {
  const later = { ...LINE, at: '2026-01-03T00:00:00.000Z', commit: 'later' };
  const other = { ...LINE, workload: 'grpc-1k-saturated', commit: 'other' };
  const svg = drawLedger([LINE, other, later]);
  expect(svg).not.toContain('http-1k-at-1000 (0123456789ab');
  expect(svg).toContain('http-1k-at-1000 (later');
  expect(svg).toContain('grpc-1k-saturated (other');
});

test('words are no markup', () => {
  expect(drawLedger([{ ...LINE, pair: '<b> & co' }])).toContain('&lt;b> &amp; co');
});
