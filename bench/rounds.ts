// The rounds: every pair is measured in each of them, one after the other, so that what changes on the machine meanwhile meets
// all of them alike.
import { sleep, systemClock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { LoadGenerator } from './load-generator.ts';
import type { LoadResult } from './load-order.ts';
import type { Measurement, Summary } from './measurement.ts';
import type { BenchOptions } from './options.ts';
import type { Pair, PairName, RunningPair } from './pairs/pair.ts';
import { cpuNs, type Memory, memory } from './proc.ts';
import type { IdleWorkload, LoadWorkload } from './workloads.ts';

export interface Contestant {
  readonly name: PairName;
  readonly pair: Pair;
  running: RunningPair;
}

export interface RoundTools {
  readonly options: BenchOptions;
  readonly load: LoadGenerator;
  /** One line for whoever watches. */
  readonly say: (line: string) => void;
}

const NOTHING: Measurement = {
  callsPerSecond: undefined,
  cpuMicrosPerCall: undefined,
  idleCpuMsPerSecond: undefined,
  latencyMicros: undefined,
  lateMicros: undefined,
  rssBytes: undefined,
  anonymousBytes: undefined,
  readyMs: undefined,
  firstAnswerMs: undefined,
};

/** Until a program that was just started has come to rest. */
const SETTLE_MS = 300;
const IDLE_MS = 700;

export interface Rounds {
  /** Of the pairs that got through all rounds. */
  readonly summaries: readonly Summary[];
  /** Why the others did not, a sentence each. */
  readonly failures: readonly string[];
}

/** Each pair is started anew in each round; the last start is the one that is then loaded. */
export async function idleRounds(
  workload: IdleWorkload,
  contestants: readonly Contestant[],
  { options, say }: RoundTools,
): Promise<Rounds> {
  const found = contestants.map(({ name }) => ({ workload: workload.name, pair: name, rounds: [] as Measurement[] }));
  const failures = new Map<PairName, string>();
  for (let round = 0; round < options.rounds; round++) {
    say(`${workload.name}, round ${round + 1} of ${options.rounds}`);
    for (const [i, contestant] of contestants.entries()) {
      if (failures.has(contestant.name)) continue;
      const restarted = await restart(contestant);
      const measured = restarted.ok ? await measureIdle(contestant.running) : restarted;
      if (measured.ok) found[i]?.rounds.push(measured.value);
      else failures.set(contestant.name, measured.error);
    }
  }
  return { summaries: found.filter(({ pair }) => !failures.has(pair)), failures: [...failures.values()] };
}

async function restart(contestant: Contestant): Promise<Result<undefined>> {
  await Promise.all(contestant.running.sidecars.map((sidecar) => sidecar.end()));
  const started = await contestant.pair.start();
  if (!started.ok) return err(`${contestant.name} could be started once, and not again: ${started.error}`);
  contestant.running = started.value;
  return ok(undefined);
}

async function measureIdle({ sidecars, start }: RunningPair): Promise<Result<Measurement>> {
  if (sidecars.length === 0) return ok(NOTHING);
  await sleep(systemClock, SETTLE_MS);
  const [cpuBefore, beganMs] = [cpuOf(sidecars), performance.now()];
  await sleep(systemClock, IDLE_MS);
  const [cpuAfter, endedMs] = [cpuOf(sidecars), performance.now()];
  const held = memoryOf(sidecars);
  if (!cpuBefore.ok) return cpuBefore;
  if (!cpuAfter.ok) return cpuAfter;
  if (!held.ok) return held;
  const idleCpuMsPerSecond = (cpuAfter.value - cpuBefore.value) / 1e3 / (endedMs - beganMs);
  return ok({ ...NOTHING, idleCpuMsPerSecond, ...held.value, ...timesOf(start) });
}

/** Compilers warm up by calls: as many as come through in a time, of the kind that most of what follows is. */
const WARM_UP: LoadWorkload = {
  kind: 'load',
  name: 'warming up',
  connections: 32,
  bodyBytes: 1024,
  pace: { kind: 'saturated' },
  isQuick: true,
};

/** Before the first workload that loads them. What fails here fails in the workload, too, and is told there. */
export async function warmUp(contestants: readonly Contestant[], tools: RoundTools): Promise<void> {
  for (const contestant of contestants) {
    tools.say(`${WARM_UP.name}: ${contestant.name}`);
    await measureLoad(WARM_UP, contestant, tools.options.compileMs, tools);
  }
}

/**
 * One pair after the other, each round beginning with another one. A pair with a call that failed is measured no further: one
 * that answers with errors would look fast.
 */
export async function loadRounds(
  workload: LoadWorkload,
  contestants: readonly Contestant[],
  tools: RoundTools,
): Promise<Rounds> {
  const found = contestants.map((contestant) => ({ contestant, rounds: [] as Measurement[] }));
  const failures = new Map<PairName, string>();
  for (let round = 0; round < tools.options.rounds; round++) {
    tools.say(`${workload.name}, round ${round + 1} of ${tools.options.rounds}`);
    for (let turn = 0; turn < found.length; turn++) {
      const next = found[(round + turn) % found.length];
      if (next === undefined || failures.has(next.contestant.name)) continue;
      const measured = await measureLoad(workload, next.contestant, tools.options.measuredMs, tools);
      if (measured.ok) next.rounds.push(measured.value);
      else failures.set(next.contestant.name, measured.error);
    }
  }
  const whole = found.filter(({ contestant }) => !failures.has(contestant.name));
  return {
    summaries: whole.map(({ contestant, rounds }) => ({ workload: workload.name, pair: contestant.name, rounds })),
    failures: [...failures.values()],
  };
}

async function measureLoad(
  { name, connections, bodyBytes, pace }: LoadWorkload,
  { name: pairName, running }: Contestant,
  measuredMs: number,
  { options, load }: RoundTools,
): Promise<Result<Measurement>> {
  const { sidecars, port, start } = running;
  const sizes = { requestBytes: bodyBytes, answerBytes: bodyBytes };
  const pids = sidecars.map(({ pid }) => pid);
  const order = { port, connections, ...sizes, pace, warmUpMs: options.warmUpMs, measuredMs, pids };
  const result = await load.measure(order);
  const dead = sidecars.map((sidecar) => sidecar.death()).find((death) => death !== undefined);
  if (dead !== undefined) return err(`${name}: ${dead}`);
  if (!result.ok) return err(`${name} through ${pairName}: ${result.error}`);
  const failure = failureOf(result.value);
  if (failure !== undefined) return err(`${name} through ${pairName}: ${failure}`);
  const held = memoryOf(sidecars);
  if (!held.ok) return held;
  return ok({ ...NOTHING, ...figuresOf(result.value, sidecars.length), ...held.value, ...timesOf(start) });
}

function failureOf({ failures, calls, reasons }: LoadResult): string | undefined {
  if (failures > 0) return `${failures} calls failed beside ${calls} that did not: ${reasons.join('; ')}`;
  return calls === 0 ? 'not one call was answered' : undefined;
}

function figuresOf({ calls, seconds, cpuMicros, latencyMicros, lateMicros }: LoadResult, sidecars: number) {
  const pairMicros = cpuMicros.reduce((sum, micros) => sum + micros, 0);
  return {
    callsPerSecond: calls / seconds,
    cpuMicrosPerCall: sidecars === 0 ? undefined : pairMicros / calls,
    latencyMicros,
    lateMicros: lateMicros.p99 ?? undefined,
  };
}

type Sidecars = RunningPair['sidecars'];

function cpuOf(sidecars: Sidecars): Result<number> {
  return readAll(sidecars, () => sidecars.reduce((sum, { pid }) => sum + cpuNs(pid), 0));
}

function memoryOf(sidecars: Sidecars): Result<Partial<Memory>> {
  return readAll(sidecars, () => {
    const each = sidecars.map(({ pid }) => memory(pid));
    if (each.length === 0) return {};
    const largest = (field: keyof Memory) => Math.max(...each.map((one) => one[field]));
    return { rssBytes: largest('rssBytes'), anonymousBytes: largest('anonymousBytes') };
  });
}

/** There is nothing to read of a process that has ended. */
function readAll<T>(sidecars: Sidecars, read: () => T): Result<T> {
  try {
    return ok(read());
  } catch (error) {
    const deaths = sidecars.flatMap((sidecar) => sidecar.death() ?? []);
    return err(deaths.length > 0 ? deaths.join('; ') : messageOf(error));
  }
}

function timesOf(start: RunningPair['start']) {
  return start === undefined ? {} : { readyMs: start.listeningMs, firstAnswerMs: start.answeringMs };
}
