// What a run found, as tables for people.

import { megabytes } from './ledger.ts';
import {
  added,
  addedOfEach,
  type Figure,
  figure,
  latency,
  type Measurement,
  type Summary,
  spreadOf,
} from './measurement.ts';
import type { PairName } from './pairs/pair.ts';
import { cell, type Row, renderTable } from './table.ts';

/** What the others are held against: the first of these that was measured. */
const REFERENCES: readonly PairName[] = ['envoy', 'haproxy', 'nginx'];

export function renderIdle(summaries: readonly Summary[]): string {
  const rows = summaries
    .filter(({ pair }) => pair !== 'direct')
    .map((summary) => [
      summary.pair,
      cell(megabytes(figure(summary, 'rssBytes')), 1),
      cell(megabytes(figure(summary, 'anonymousBytes')), 1),
      cell(figure(summary, 'readyMs')),
      cell(figure(summary, 'firstAnswerMs')),
      percent(spreadOf(of(summary, 'readyMs'))),
      cell(figure(summary, 'idleCpuMsPerSecond'), 2),
    ]);
  const head = ['', 'RSS MB', 'anonymous MB', 'ready ms', 'first answer ms', 'spread', 'idle CPU ms/s'];
  return renderTable([head, ...rows]);
}

export function renderLoad(summaries: readonly Summary[]): string {
  const direct = summaries.find(({ pair }) => pair === 'direct');
  const reference = referenceAmong(summaries);
  const against = reference?.pair ?? 'reference';
  const head = [
    ...['', 'calls/s', 'spread', 'CPU us/call', 'spread', 'added p50', 'p90', 'p99 us', 'p99 spread'],
    ...['RSS MB', 'anonymous', 'late p99 us', `calls/s : ${against}`, 'CPU', 'p50', 'p99'],
  ];
  return renderTable([head, ...summaries.map((summary) => loadRow(summary, direct, reference))]);
}

function loadRow(summary: Summary, direct: Summary | undefined, reference: Summary | undefined): Row {
  const isDirect = summary.pair === 'direct';
  // Alone, what is told of it is its latency as it was.
  const micros = (p: 'p50' | 'p90' | 'p99') => (isDirect ? latency(summary, p) : added(summary, direct, p));
  const isReference = summary === reference;
  const ratio = (value: number | undefined, of: number | undefined) =>
    isDirect || isReference || value === undefined || of === undefined ? '-' : `${(value / of).toFixed(2)}x`;
  const addedTo = (p: 'p50' | 'p99') => (reference === undefined ? undefined : added(reference, direct, p));
  const theirs = (name: Figure) => (reference === undefined ? undefined : figure(reference, name));
  return [
    isDirect ? 'direct (not added)' : summary.pair,
    cell(figure(summary, 'callsPerSecond')),
    percent(spreadOf(of(summary, 'callsPerSecond'))),
    cell(figure(summary, 'cpuMicrosPerCall'), 1),
    percent(spreadOf(of(summary, 'cpuMicrosPerCall'))),
    ...(['p50', 'p90', 'p99'] as const).map((p) => cell(micros(p))),
    percent(spreadOf(isDirect ? summary.rounds.map((r) => r.latencyMicros?.p99) : addedOfEach(summary, direct, 'p99'))),
    cell(megabytes(figure(summary, 'rssBytes')), 1),
    cell(megabytes(figure(summary, 'anonymousBytes')), 1),
    cell(figure(summary, 'lateMicros')),
    ratio(figure(summary, 'callsPerSecond'), theirs('callsPerSecond')),
    ratio(figure(summary, 'cpuMicrosPerCall'), theirs('cpuMicrosPerCall')),
    ratio(micros('p50'), addedTo('p50')),
    ratio(micros('p99'), addedTo('p99')),
  ];
}

function referenceAmong(summaries: readonly Summary[]): Summary | undefined {
  for (const name of REFERENCES) {
    const found = summaries.find(({ pair }) => pair === name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function of({ rounds }: Summary, name: Figure): readonly Measurement[Figure][] {
  return rounds.map((round) => round[name]);
}

function percent(share: number | undefined): string {
  return share === undefined ? '-' : `${Math.round(share * 100)} %`;
}
