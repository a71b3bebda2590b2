// Compares two ways of doing one thing: in turns, so that a busy machine troubles both alike, and by the CPU time of this
// process, so that it counts for little. What is printed is the median of the rounds and their spread.
import { cpuUsage } from 'node:process';

const ROUNDS = 15;
const ROUND_MICROS = 15_000;
const WARM_UP_CALLS = 20_000;

/** Called with 0, 1, 2, …; what it returns is looked at, so that no work is optimized away. */
export type Work = (turn: number) => unknown;

export interface Comparison {
  readonly title: string;
  readonly plain: Work;
  readonly trick: Work;
}

export function printComparison({ title, plain, trick }: Comparison): void {
  const calls = Math.max(callsPerRound(plain), callsPerRound(trick));
  const rounds = Array.from({ length: ROUNDS }, () => ({
    plain: nanosPerCall(plain, calls),
    trick: nanosPerCall(trick, calls),
  }));
  const ratios = rounds.map((round) => round.plain / round.trick).sort((a, b) => a - b);
  const [low = 0, middle = 0, high = 0] = [ratios[1], ratios[Math.floor(ROUNDS / 2)], ratios.at(-2)];
  const nanos = `${median(rounds.map((round) => round.plain))} ns > ${median(rounds.map((round) => round.trick))} ns`;
  const spread = `${low.toFixed(2)} to ${high.toFixed(2)}`;
  console.log(`${title.padEnd(64)} ${nanos.padStart(20)}   ${middle.toFixed(2)}x (${spread})`);
}

function callsPerRound(work: Work): number {
  nanosPerCall(work, WARM_UP_CALLS);
  const nanos = Math.max(1, nanosPerCall(work, WARM_UP_CALLS));
  return Math.ceil((ROUND_MICROS * 1000) / nanos);
}

function nanosPerCall(work: Work, calls: number): number {
  const before = cpuUsage();
  let results = 0;
  for (let turn = 0; turn < calls; turn++) {
    if (work(turn) !== undefined) results++;
  }
  const { user, system } = cpuUsage(before);
  if (results === 0) throw new Error('the work came to nothing');
  return ((user + system) * 1000) / calls;
}

function median(numbers: readonly number[]): string {
  return ([...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0).toFixed(0);
}
