// What people read of a run.
import { expect, test } from 'vitest';
import type { Measurement, Summary } from './measurement.ts';
import type { PairName } from './pairs/pair.ts';
import { renderLoad, renderRatios } from './result-tables.ts';

function summary(
  pair: PairName,
  cpuMicrosPerCall: number | undefined,
  p99: number,
  more: Partial<Measurement> = {},
): Summary {
  const round: Measurement = {
    ...{ callsPerSecond: 1000, cpuMicrosPerCall, idleCpuMsPerSecond: undefined, bulkBytesPerSecond: undefined },
    ...{ latencyMicros: { p50: p99 / 4, p90: p99 / 2, p99 }, lateMicros: 10 },
    ...{ rssBytes: 75e6, anonymousBytes: 24e6, readyMs: 90, firstAnswerMs: 140 },
    ...more,
  };
  return { workload: 'http-1k-at-1000', pair, rounds: [round, round, round] };
}

const direct = summary('direct', undefined, 400);
const invoke = summary('invoke', 200, 800);
const envoy = summary('envoy', 400, 1200);
const lineOf = (text: string, start: string) => text.split('\n').find((line) => line.startsWith(start)) ?? '';
const cells = (line: string) => line.trim().split(/ {2,}/);

test('a pair is told by what it adds, and by what the caller saw in all', () => {
  const [pair, errors, calls, , cpu, , p50, , p99, , all] = cells(lineOf(renderLoad([direct, invoke], []), 'invoke'));
  expect([pair, errors, calls, cpu, p50, p99, all]).toEqual(['invoke', '0', '1000', '200.0', '100', '400', '800']);
});

test('a pair whose calls failed is in the table by how many, and by nothing else', () => {
  const failures = [
    { pair: 'nginx', calls: 17, reason: 'HTTP/1.1 502' },
    { pair: 'haproxy', calls: 0, reason: 'not one call was answered' },
  ] as const;
  const table = renderLoad([direct, invoke], failures);
  expect(cells(lineOf(table, 'nginx')).slice(0, 3)).toEqual(['nginx', '17', '-']);
  expect(cells(lineOf(table, 'haproxy')).slice(0, 3)).toEqual(['haproxy', 'failed', '-']);
});

test('bulk has a column where there was some', () => {
  expect(renderLoad([direct, invoke], [])).not.toContain('bulk');
  const table = renderLoad([direct, summary('invoke', 200, 800, { bulkBytesPerSecond: 40e6 })], []);
  expect(cells(lineOf(table, '  '))).toContain('bulk MB/s');
  expect(cells(lineOf(table, 'invoke')).at(-1)).toBe('40');
});

test('ours is held against each of the others', () => {
  const [names, , cpu, , p99, all] = cells(lineOf(renderRatios([direct, invoke, envoy]), 'invoke : envoy'));
  expect([names, cpu, p99, all]).toEqual([
    'invoke : envoy',
    ...['0.50x (0.50 to 0.50)', '0.50x (0.50 to 0.50)', '0.67x (0.67 to 0.67)'],
  ]);
  expect(renderRatios([direct, envoy])).toBe('');
});
