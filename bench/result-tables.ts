// What a run found, as tables for people.
import { megabytes } from './ledger.ts';
import {
  added,
  addedOfEach,
  type Failure,
  type Figure,
  figure,
  latency,
  type Ratio,
  ratioOf,
  type Summary,
  spreadOf,
} from './measurement.ts';
import { cell, type Row, renderTable } from './table.ts';

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

export function renderLoad(summaries: readonly Summary[], failures: readonly Failure[]): string {
  const direct = summaries.find(({ pair }) => pair === 'direct');
  const bulk = summaries.some((summary) => figure(summary, 'bulkBytesPerSecond') !== undefined) ? ['bulk MB/s'] : [];
  const head = [
    ...[
      '',
      'errors',
      'calls/s',
      'spread',
      'CPU us/call',
      'spread',
      'added p50',
      'p90',
      'p99 us',
      'spread',
      'p99 in all',
    ],
    ...['RSS MB', 'anonymous', 'late p99 us', ...bulk],
  ];
  const failed = failures.map(({ pair, calls }) => [
    pair,
    calls > 0 ? String(calls) : 'failed',
    ...Array.from({ length: head.length - 2 }, () => '-'),
  ]);
  return renderTable([head, ...summaries.map((summary) => loadRow(summary, direct)), ...failed]);
}

function loadRow(summary: Summary, direct: Summary | undefined): Row {
  const isDirect = summary.pair === 'direct';
  const bulk = figure(summary, 'bulkBytesPerSecond');
  // Alone, what is told of it is its latency as it was.
  const micros = (p: 'p50' | 'p90' | 'p99') => (isDirect ? latency(summary, p) : added(summary, direct, p));
  return [
    isDirect ? 'direct (not added)' : summary.pair,
    '0',
    cell(figure(summary, 'callsPerSecond')),
    percent(spreadOf(of(summary, 'callsPerSecond'))),
    cell(figure(summary, 'cpuMicrosPerCall'), 1),
    percent(spreadOf(of(summary, 'cpuMicrosPerCall'))),
    ...(['p50', 'p90', 'p99'] as const).map((p) => cell(micros(p))),
    percent(spreadOf(isDirect ? wholeP99(summary) : addedOfEach(summary, direct, 'p99'))),
    cell(latency(summary, 'p99')),
    cell(megabytes(figure(summary, 'rssBytes')), 1),
    cell(megabytes(figure(summary, 'anonymousBytes')), 1),
    cell(figure(summary, 'lateMicros')),
    ...(bulk === undefined ? [] : [cell(megabytes(bulk))]),
  ];
}

/** Ours against each of the others: medians of the rounds' ratios, lowest and highest behind them. Empty without both. */
export function renderRatios(summaries: readonly Summary[]): string {
  const ours = summaries.find(({ pair }) => pair === 'invoke');
  const direct = summaries.find(({ pair }) => pair === 'direct');
  const others = summaries.filter(({ pair }) => pair !== 'invoke' && pair !== 'direct');
  if (ours === undefined || others.length === 0) return '';
  const head = ['', 'calls/s', 'CPU', 'added p50', 'added p99', 'p99 in all'];
  const rows = others.map((theirs) => {
    const ratio = (of: (summary: Summary) => readonly (number | undefined)[]) =>
      ratioCell(ratioOf(of(ours), of(theirs)));
    return [
      `invoke : ${theirs.pair}`,
      ratio((summary) => of(summary, 'callsPerSecond')),
      ratio((summary) => of(summary, 'cpuMicrosPerCall')),
      ratio((summary) => addedOfEach(summary, direct, 'p50')),
      ratio((summary) => addedOfEach(summary, direct, 'p99')),
      ratio(wholeP99),
    ];
  });
  return renderTable([head, ...rows]);
}

function ratioCell(ratio: Ratio | undefined): string {
  if (ratio === undefined) return '-';
  return `${ratio.median.toFixed(2)}x (${ratio.lowest.toFixed(2)} to ${ratio.highest.toFixed(2)})`;
}

function wholeP99({ rounds }: Summary) {
  return rounds.map(({ latencyMicros }) => latencyMicros?.p99);
}

function of({ rounds }: Summary, name: Figure): readonly (number | undefined)[] {
  return rounds.map((round) => round[name]);
}

function percent(share: number | undefined): string {
  return share === undefined ? '-' : `${Math.round(share * 100)} %`;
}
