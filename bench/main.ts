// The benchmark: our pair of sidecars beside those of others, on this machine, in one run. README.md says what is measured and
// what not to read from it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { err, ok, type Result } from '../kit/result.ts';
import { openChildren } from './children.ts';
import { appendToLedger, entryOf, LEDGER, type RunFacts } from './ledger.ts';
import { type App, buildLoad, startApp, startLoadGenerator } from './load-generator.ts';
import { commit, load as loadOf, machine } from './machine.ts';
import type { Failure, Summary } from './measurement.ts';
import { type BenchOptions, readOptions, USAGE } from './options.ts';
import { writeCertificates } from './pairs/certificates.ts';
import { daprd } from './pairs/daprd.ts';
import { direct } from './pairs/direct.ts';
import { envoy } from './pairs/envoy.ts';
import { haproxy } from './pairs/haproxy.ts';
import { invoke } from './pairs/invoke.ts';
import { nginx } from './pairs/nginx.ts';
import type { Pair, PairName, PreparePair, Shape } from './pairs/pair.ts';
import { renderIdle, renderLoad, renderRatios } from './result-tables.ts';
import { type Contestant, idleRounds, loadRounds, type Rounds, type RoundTools, warmUp } from './rounds.ts';
import { kindOf, type Workload, warmUpOf } from './workloads.ts';

const EXIT = { failed: 1, usage: 64, interrupted: 130 } as const;
const CACHE = join(import.meta.dirname, '.cache');
const PAIRS: Readonly<Record<PairName, PreparePair>> = { direct, invoke, envoy, haproxy, nginx, daprd };
/** Above it, something else keeps the machine busy. */
const LOAD_MAX = 1;

const children = openChildren();
// Deleted and ended whichever way this process goes.
const folder = mkdtempSync(join(tmpdir(), 'invoke-bench-'));
process.on('exit', () => {
  children.killAll();
  rmSync(folder, { recursive: true, force: true });
});
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    isInterrupted = true;
    void children.endAll().then(() => process.exit(EXIT.interrupted));
  });
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (!options.ok) {
    console.error(`bench: ${options.error}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (process.platform !== 'linux') {
    console.error('bench: it reads /proc, which only Linux has');
    return EXIT.failed;
  }
  const result = await run(options.value);
  await children.endAll();
  if (result.ok) return 0;
  console.error(`bench: ${result.error}`);
  return EXIT.failed;
}

async function run(options: BenchOptions): Promise<Result<undefined>> {
  const facts: RunFacts = {
    at: new Date().toISOString(),
    commit: commit(),
    machine: `${machine()}, load ${loadOf().toFixed(1)}`,
  };
  console.log(`${facts.machine}; commit ${facts.commit}`);
  if (loadOf() > LOAD_MAX) console.log('The machine is busy with something else: expect large spreads.');
  const program = buildLoad(CACHE, process.env.PATH);
  if (!program.ok) return program;
  const app = await startApp(children, program.value);
  if (!app.ok) return app;
  const load = startLoadGenerator(children, program.value);
  if (!load.ok) return load;
  const pairs = await preparePairs(options.pairs, app.value);
  const tools: RoundTools = { options, load: load.value, say };
  const found: Rounds[] = [];
  for (const [shape, workloads] of Map.groupBy(options.workloads, (workload) => workload.shape)) {
    found.push(await measureShape(shape, workloads, pairs, tools));
  }
  for (const { pair } of pairs) await pair.close?.();
  console.log(`\nThe load of the machine at the end is ${loadOf().toFixed(2)}.`);
  if (options.isRecorded && !isInterrupted) {
    record(
      facts,
      found.flatMap(({ summaries }) => summaries),
    );
  }
  const failures = found.flatMap((one) => one.failures);
  return failures.length === 0 ? ok(undefined) : err(`${failures.length} measurements failed; see above`);
}

interface NamedPair {
  readonly name: PairName;
  readonly pair: Pair;
}

/** Those that this machine has; why the others are left out is said. */
async function preparePairs(names: readonly PairName[], app: App): Promise<readonly NamedPair[]> {
  const certificates = writeCertificates(folder);
  const pairs: NamedPair[] = [];
  for (const name of names) {
    const own = join(folder, name);
    mkdirSync(own);
    const pair = await PAIRS[name]({ children, certificates, folder: own, cacheFolder: CACHE, app, env: process.env });
    if (pair.ok) pairs.push({ name, pair: pair.value });
    console.log(pair.ok ? `with ${name} ${pair.value.version}` : `without ${name}: ${pair.error}`);
  }
  return pairs;
}

/** All pairs stay up from the first workload of a shape to the last. */
async function measureShape(
  shape: Shape,
  workloads: readonly Workload[],
  pairs: readonly NamedPair[],
  tools: RoundTools,
): Promise<Rounds> {
  const contestants: Contestant[] = [];
  for (const { name, pair } of pairs) {
    say(`starting ${name} for ${shape}`);
    const running = await pair.start(shape);
    if (running.ok) contestants.push({ name, pair, running: running.value });
    else console.log(`${shape} without ${name}: ${running.error}`);
  }
  const found = await measureAll(workloads, contestants, tools);
  await Promise.all(contestants.flatMap(({ running }) => running.sidecars.map((sidecar) => sidecar.end())));
  return found;
}

async function measureAll(
  workloads: readonly Workload[],
  contestants: readonly Contestant[],
  tools: RoundTools,
): Promise<Rounds> {
  const summaries: Summary[] = [];
  const failures: Failure[] = [];
  const warmedUp = new Set<string>();
  for (const workload of workloads) {
    if (workload.kind === 'load' && !warmedUp.has(kindOf(workload))) {
      await warmUp(warmUpOf(workload), contestants, tools);
      warmedUp.add(kindOf(workload));
    }
    const isIdle = workload.kind === 'idle';
    const found = isIdle
      ? await idleRounds(workload, contestants, tools)
      : await loadRounds(workload, contestants, tools);
    summaries.push(...found.summaries);
    failures.push(...found.failures);
    say('');
    console.log(`\n${workload.name}: medians of ${tools.options.rounds} rounds, spread from lowest to highest`);
    if (isIdle) console.log(renderIdle(found.summaries));
    else console.log([renderLoad(found.summaries, found.failures), renderRatios(found.summaries)].join('\n').trimEnd());
    for (const { pair, reason } of found.failures) console.log(`${pair}: ${reason}`);
  }
  return { summaries, failures };
}

function record(facts: RunFacts, summaries: readonly Summary[]): void {
  const directOf = (workload: string) => summaries.find((s) => s.workload === workload && s.pair === 'direct');
  const entries = summaries
    .filter(({ pair }) => pair !== 'direct')
    .map((summary) => entryOf(facts, summary, directOf(summary.workload)));
  appendToLedger(entries);
  console.log(`${entries.length} lines were appended to ${LEDGER}.`);
}

/** Progress, for terminals alone: one line that the next takes the place of. */
function say(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

process.exitCode = await main();
