// The rounds: every pair is measured in each of them, one after the other, so that what changes on the machine meanwhile meets
// all of them alike.
import { sleep, systemClock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import type { LoadGenerator } from './load-generator.ts';
import type { LoadResult } from './load-order.ts';
import type { Failure, Measurement, Summary } from './measurement.ts';
import type { BenchOptions } from './options.ts';
import { type Pair, type PairName, type RunningPair, type Shape, TARGETS } from './pairs/pair.ts';
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
  bulkBytesPerSecond: undefined,
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
const WARM_UP_STEP_MS = 1000;

export interface Rounds {
  /** Of the pairs that got through all rounds. */
  readonly summaries: readonly Summary[];
  /** The others. */
  readonly failures: readonly Failure[];
}

/** Each pair is started anew in each round; the last start is the one that is then loaded. */
export async function idleRounds(
  workload: IdleWorkload,
  contestants: readonly Contestant[],
  { options, say }: RoundTools,
): Promise<Rounds> {
  const found = contestants.map(({ name }) => ({ workload: workload.name, pair: name, rounds: [] as Measurement[] }));
  const failures = new Map<PairName, Failure>();
  for (let round = 0; round < options.rounds; round++) {
    say(`${workload.name}, round ${round + 1} of ${options.rounds}`);
    for (const [i, contestant] of contestants.entries()) {
      if (failures.has(contestant.name)) continue;
      const restarted = await restart(contestant, workload.shape);
      const measured = restarted.ok ? await measureIdle(contestant.running) : restarted;
      if (measured.ok) found[i]?.rounds.push(measured.value);
      else failures.set(contestant.name, { pair: contestant.name, calls: 0, reason: measured.error });
    }
  }
  return { summaries: found.filter(({ pair }) => !failures.has(pair)), failures: [...failures.values()] };
}

async function restart(contestant: Contestant, shape: Shape): Promise<Result<undefined>> {
  await Promise.all(contestant.running.sidecars.map((sidecar) => sidecar.end()));
  const started = await contestant.pair.start(shape);
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

/** By calls, and not by time: a compiler waits for so many. What fails here fails in the workload, too, and is told there. */
export async function warmUp(
  workload: LoadWorkload,
  contestants: readonly Contestant[],
  tools: RoundTools,
): Promise<void> {
  const { calls: callsMin, ms } = tools.options.warmUp;
  // Each of many apps has a sidecar that warms up by its own share alone.
  const times = workload.shape === 'many' ? 3 : 1;
  for (const contestant of contestants) {
    if (contestant.running.sidecars.length === 0) continue;
    tools.say(`${workload.name}: ${contestant.name}`);
    let calls = 0;
    for (let spentMs = 0; calls < callsMin * times && spentMs < ms * times; spentMs += WARM_UP_STEP_MS) {
      const measured = await measureLoad(workload, contestant, WARM_UP_STEP_MS, tools);
      if (!measured.ok) break;
      calls += ((measured.value.callsPerSecond ?? 0) * WARM_UP_STEP_MS) / 1000;
    }
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
  const failures = new Map<PairName, Failure>();
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
  { shape, load: what }: LoadWorkload,
  { name, running }: Contestant,
  measuredMs: number,
  { options, load }: RoundTools,
): Promise<Result<Measurement, Failure>> {
  const { sidecars, port, start } = running;
  const failed = (reason: string, calls = 0) => err<Failure>({ pair: name, calls, reason });
  const times = { runUpMs: options.runUpMs, measuredMs };
  const result = await load.measure({
    ...what,
    ...times,
    port,
    targets: TARGETS[shape],
    pids: sidecars.map((s) => s.pid),
  });
  const dead = sidecars.map((sidecar) => sidecar.death()).find((death) => death !== undefined);
  if (dead !== undefined) return failed(dead);
  if (!result.ok) return failed(result.error);
  const { calls, failures, reasons } = result.value;
  if (failures > 0) return failed(`beside ${calls} calls that did not fail: ${reasons.join('; ')}`, failures);
  if (calls === 0) return failed('not one call was answered');
  // Of many apps' sidecars a hundred are one process, whose memory says nothing of any.
  const held = memoryOf(shape === 'many' ? sidecars.slice(0, 1) : sidecars);
  if (!held.ok) return failed(held.error);
  const bulk = what.hasBulk ? { bulkBytesPerSecond: result.value.bulkBytes / result.value.seconds } : {};
  return ok({ ...NOTHING, ...figuresOf(result.value, sidecars.length), ...bulk, ...held.value, ...timesOf(start) });
}

function figuresOf({ calls, seconds, cpuMicros, latencyMicros, lateMicros }: LoadResult, sidecars: number) {
  const pairMicros = cpuMicros.reduce((sum, micros) => sum + micros, 0);
  return {
    callsPerSecond: calls / seconds,
    cpuMicrosPerCall: sidecars === 0 ? undefined : pairMicros / calls,
    latencyMicros,
    lateMicros: lateMicros.p99,
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
