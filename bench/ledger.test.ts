// The ledger: exactly the fields that a line has, and that what is written can be read again.
import { expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { entryOf, parseLedger, printEntry, readLedger } from './ledger.ts';
import type { Measurement, Summary } from './measurement.ts';

const FACTS = { at: '2026-01-02T03:04:05.678Z', commit: '0123456789ab', machine: '2 x Some Processor' };

function round(p50: number, more: Partial<Measurement> = {}): Measurement {
  return {
    callsPerSecond: 1000,
    cpuMicrosPerCall: 200.04,
    idleCpuMsPerSecond: undefined,
    bulkBytesPerSecond: undefined,
    latencyMicros: { p50, p90: p50 * 2, p99: p50 * 4 },
    lateMicros: 100,
    rssBytes: 75_000_000,
    anonymousBytes: 24_000_000,
    readyMs: 99.6,
    firstAnswerMs: 150,
    ...more,
  };
}

const invoke: Summary = { workload: 'http-1k-at-1000', pair: 'invoke', rounds: [round(300), round(330), round(900)] };
const direct: Summary = { workload: 'http-1k-at-1000', pair: 'direct', rounds: [round(100), round(110), round(600)] };

test('a line has the fields that were agreed on, in their order, and is the median of the rounds', () => {
  expect(printEntry(entryOf(FACTS, invoke, direct))).toBe(
    '{"at":"2026-01-02T03:04:05.678Z","commit":"0123456789ab","machine":"2 x Some Processor",' +
      '"workload":"http-1k-at-1000","pair":"invoke","callsPerSecond":1000,"cpuMicrosPerCall":200,' +
      '"addedMicros":{"p50":220,"p90":440,"p99":880},"rssMb":75,"anonymousMb":24,"readyMs":100}\n',
  );
});

test('what is added is the median of the differences round by round, not the difference of medians', () => {
  const noisy = { ...direct, rounds: [round(100), round(10), round(600)] };
  expect(entryOf(FACTS, invoke, noisy).addedMicros.p50).toBe(300);
});

test('what was not measured is null', () => {
  const idle = { ...invoke, rounds: [round(0, { callsPerSecond: undefined, latencyMicros: undefined })] };
  expect(entryOf(FACTS, idle, undefined)).toMatchObject({
    callsPerSecond: null,
    addedMicros: { p50: null, p90: null, p99: null },
  });
});

test('what is written can be read again, and anything else is refused by its line', () => {
  const entry = entryOf(FACTS, invoke, direct);
  expect(parseLedger(printEntry(entry) + printEntry(entry))).toEqual({ ok: true, value: [entry, entry] });
  const { readyMs: _, ...short } = entry;
  for (const bad of ['no json', JSON.stringify(short), JSON.stringify({ ...entry, more: 1 })]) {
    expect(parseLedger(`${printEntry(entry)}${bad}\n`)).toMatchObject({
      ok: false,
      error: expect.stringContaining('2'),
    });
  }
});

test('the ledger of this checkout can be read', () => {
  must(readLedger());
});
