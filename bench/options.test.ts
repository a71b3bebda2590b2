// What the benchmark can be told on its command line.
import { expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { readOptions } from './options.ts';
import { WORKLOADS } from './workloads.ts';

test('left to itself it runs everything in seven rounds, and records nothing', () => {
  const options = must(readOptions([]));
  expect(options).toMatchObject({ rounds: 7, isRecorded: false });
  expect(options.workloads).toEqual(WORKLOADS);
});

test('quick is three rounds of fewer workloads', () => {
  const options = must(readOptions(['--quick']));
  expect(options.rounds).toBe(3);
  expect(options.workloads.map(({ name }) => name)).toEqual([
    'idle',
    'http-1k-at-1000',
    'http-1k-saturated',
    'http-64k-at-200',
    'grpc-1k-saturated',
  ]);
});

test('direct is always measured: without it nothing is known to be added', () => {
  expect(must(readOptions(['--pairs', 'envoy,invoke'])).pairs).toEqual(['direct', 'invoke', 'envoy']);
});

test('a misspelt name is met with the one that was meant', () => {
  expect(readOptions(['--pairs', 'envoi'])).toMatchObject({ error: '--pairs: there is no envoi; did you mean envoy?' });
});

test('numbers that make no sense are refused by their flag', () => {
  for (const flag of ['--rounds', '--seconds']) {
    for (const value of ['0', 'x', 'Infinity']) {
      expect(readOptions([flag, value])).toMatchObject({ ok: false, error: expect.stringContaining(flag) });
    }
  }
  expect(readOptions(['--record=yes'])).toMatchObject({ ok: false });
});
