// bench/ledger.jsonl: what was measured once, for later comparison. A line for each pair and workload; nothing is ever changed.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { parseJson } from '../kit/json.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { added, figure, type Summary } from './measurement.ts';

export const LEDGER = join(import.meta.dirname, 'ledger.jsonl');

/** `null`: this workload says nothing of it. */
const number = z.nullable(z.number());

const entry = z.strictObject({
  /** ISO 8601: when the run began. */
  at: z.string(),
  /** With `+` behind it where files differed from the commit. */
  commit: z.string(),
  machine: z.string(),
  workload: z.string(),
  pair: z.string(),
  callsPerSecond: number,
  /** Of both sidecars together. */
  cpuMicrosPerCall: number,
  /** Beyond the same load without sidecars. */
  addedMicros: z.strictObject({ p50: number, p90: number, p99: number }),
  /** Of the larger sidecar, after the workload. */
  rssMb: number,
  anonymousMb: number,
  /** From exec until it takes connections. */
  readyMs: number,
});

export type LedgerEntry = z.output<typeof entry>;

export interface RunFacts {
  readonly at: string;
  readonly commit: string;
  readonly machine: string;
}

export function entryOf(facts: RunFacts, summary: Summary, direct: Summary | undefined): LedgerEntry {
  const [p50, p90, p99] = (['p50', 'p90', 'p99'] as const).map((p) => rounded(added(summary, direct, p), 0));
  return {
    ...facts,
    ...{ workload: summary.workload, pair: summary.pair },
    callsPerSecond: rounded(figure(summary, 'callsPerSecond'), 0),
    cpuMicrosPerCall: rounded(figure(summary, 'cpuMicrosPerCall'), 1),
    addedMicros: { p50: p50 ?? null, p90: p90 ?? null, p99: p99 ?? null },
    rssMb: rounded(megabytes(figure(summary, 'rssBytes')), 1),
    anonymousMb: rounded(megabytes(figure(summary, 'anonymousBytes')), 1),
    readyMs: rounded(figure(summary, 'readyMs'), 0),
  };
}

/** Of 10^6 bytes. */
export function megabytes(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / 1e6;
}

function rounded(value: number | undefined, digits: number): number | null {
  return value === undefined ? null : Number(value.toFixed(digits));
}

export function printEntry(line: LedgerEntry): string {
  return `${JSON.stringify(line)}\n`;
}

export function appendToLedger(entries: readonly LedgerEntry[]): void {
  appendFileSync(LEDGER, entries.map(printEntry).join(''));
}

/** Or which line is no line of a ledger. */
export function parseLedger(text: string): Result<readonly LedgerEntry[]> {
  const entries: LedgerEntry[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const json = parseJson(line);
    const parsed = json.ok ? entry.safeParse(json.value) : undefined;
    if (parsed?.success !== true) return err(`line ${i + 1} is not what a run records: ${line.slice(0, 80)}`);
    entries.push(parsed.data);
  }
  return ok(entries);
}

export function readLedger(): Result<readonly LedgerEntry[]> {
  return existsSync(LEDGER) ? parseLedger(readFileSync(LEDGER, 'utf8')) : ok([]);
}
