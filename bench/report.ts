// Compares what the ledger holds: of each pair and workload, the last line with the one before it. The last ones are drawn, too.
//
//   npm run bench:report
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawLedger } from './chart.ts';
import { type LedgerEntry, readLedger } from './ledger.ts';
import { cell, type Row, renderTable } from './table.ts';

const PICTURE = join(import.meta.dirname, 'ledger.svg');
const HEAD: Row = [
  ...['', 'calls/s', 'CPU us/call', 'added p50', 'p90', 'p99 us', 'RSS MB', 'anonymous', 'ready ms', 'commit', 'at'],
];

function rowOf(label: string, line: LedgerEntry): Row {
  const { callsPerSecond, cpuMicrosPerCall, addedMicros, rssMb, anonymousMb, readyMs, commit, at } = line;
  return [
    label,
    cell(callsPerSecond),
    cell(cpuMicrosPerCall, 1),
    ...[addedMicros.p50, addedMicros.p90, addedMicros.p99].map((value) => cell(value)),
    ...[cell(rssMb, 1), cell(anonymousMb, 1), cell(readyMs), commit, at.slice(0, 16)],
  ];
}

function rowsOf(lines: readonly LedgerEntry[]): readonly Row[] {
  const byPair = Map.groupBy(lines, ({ pair }) => pair);
  return [...byPair].flatMap(([pair, ofPair]) => {
    const [last, before] = ofPair.toReversed();
    return [
      ...(last === undefined ? [] : [rowOf(pair, last)]),
      ...(before === undefined ? [] : [rowOf('  before', before)]),
    ];
  });
}

const ledger = readLedger();
if (!ledger.ok) {
  console.error(`bench: the ledger cannot be read: ${ledger.error}`);
  process.exitCode = 1;
} else if (ledger.value.length === 0) {
  console.log('The ledger is empty; npm run bench -- --record writes to it.');
} else {
  for (const [workload, lines] of Map.groupBy(ledger.value, (line) => line.workload)) {
    // How busy it was is not which one it is.
    const machines = new Set(lines.map(({ machine }) => machine.replace(/, load [\d.]+$/, '')));
    console.log(`\n${workload}${machines.size > 1 ? ' (of several machines: do not compare)' : ''}`);
    console.log(renderTable([HEAD, ...rowsOf(lines)]));
  }
  writeFileSync(PICTURE, drawLedger(ledger.value));
  console.log(`\n${PICTURE} shows the last lines.`);
}
