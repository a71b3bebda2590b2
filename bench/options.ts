// What `npm run bench` can be told.
import { parseArgs } from 'node:util';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { nearest } from '../kit/text.ts';
import { PAIR_NAMES, type PairName } from './pairs/pair.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

export interface BenchOptions {
  readonly pairs: readonly PairName[];
  readonly workloads: readonly Workload[];
  readonly rounds: number;
  /** Of a pair, before its first measurement with calls of that kind: so many calls, or as many as there is time for. */
  readonly warmUp: { readonly calls: number; readonly ms: number };
  /** Before each measurement, at its own pace. */
  readonly runUpMs: number;
  readonly measuredMs: number;
  readonly isRecorded: boolean;
}

export const USAGE = `npm run bench -- [--quick] [--pairs invoke,envoy] [--workloads idle,http-1k-at-1000] [--rounds 7] [--seconds 2] [--record]

  --quick      3 short rounds of the workloads that matter most
  --pairs      of ${PAIR_NAMES.join(', ')}; "direct" is always among them
  --workloads  of ${WORKLOADS.map(({ name }) => name).join(', ')}
  --rounds     how many; medians of fewer than 7 are no findings
  --seconds    how long each measurement takes
  --record     append what was found to bench/ledger.jsonl`;

export function readOptions(args: readonly string[]): Result<BenchOptions> {
  const flags = parseFlags(args);
  if (!flags.ok) return flags;
  const { quick, pairs, workloads, rounds, seconds, record } = flags.value;
  const pairNames = chosen(pairs, PAIR_NAMES, '--pairs');
  if (!pairNames.ok) return pairNames;
  const usual = WORKLOADS.filter(({ isQuick }) => isQuick || !quick).map(({ name }) => name);
  const names = chosen(
    workloads,
    WORKLOADS.map(({ name }) => name),
    '--workloads',
    usual,
  );
  if (!names.ok) return names;
  const count = positive(rounds ?? (quick ? '3' : '7'), '--rounds');
  if (!count.ok) return count;
  const measured = positive(seconds ?? (quick ? '0.7' : '2'), '--seconds');
  if (!measured.ok) return measured;
  return ok({
    pairs: PAIR_NAMES.filter((name) => name === 'direct' || pairNames.value.includes(name)),
    workloads: WORKLOADS.filter(({ name }) => names.value.includes(name)),
    rounds: Math.ceil(count.value),
    warmUp: { calls: 40_000, ms: quick ? 6000 : 10_000 },
    runUpMs: quick ? 200 : 700,
    measuredMs: measured.value * 1000,
    isRecorded: record,
  });
}

function parseFlags(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        pairs: { type: 'string' },
        workloads: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        record: { type: 'boolean', default: false },
      },
    });
    return ok(values);
  } catch (error) {
    return err(messageOf(error));
  }
}

function chosen<T extends string>(
  text: string | undefined,
  known: readonly T[],
  flag: string,
  usual: readonly T[] = known,
): Result<readonly T[]> {
  if (text === undefined) return ok(usual);
  const given = text.split(',').map((name) => name.trim());
  const unknown = given.find((name) => !known.some((one) => one === name));
  if (unknown === undefined) return ok(known.filter((name) => given.includes(name)));
  const meant = nearest(unknown, known);
  return err(
    `${flag}: there is no ${unknown}${meant === undefined ? `; there are ${known.join(', ')}` : `; did you mean ${meant}?`}`,
  );
}

function positive(text: string, flag: string): Result<number> {
  const value = Number(text);
  return value > 0 && Number.isFinite(value) ? ok(value) : err(`${flag}: "${text}" is no number above 0`);
}
