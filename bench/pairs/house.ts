// The program of many sidecars in one process, for the pair of many apps: each has its own ports, certificate and connections. Told
// where they are listed by its only argument. It runs the sources, and code that one of them has warmed up is warm for all.
import { readFileSync } from 'node:fs';
import { SIDECAR_VARIABLE } from '../../api/pod-sidecar.ts';
import { systemClock } from '../../kit/clock.ts';
import { youngCollector } from '../../kit/engine.ts';
import { type Program, runProgram } from '../../kit/program.ts';
import { must } from '../../kit/result.ts';
import { collectYoungGarbageBy } from '../../kit/young-garbage.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { startFeed } from '../../sidecar/feed/client.ts';
import { type PodPaths, readPod, startPod } from '../../sidecar/pod.ts';

export interface Housed {
  /** As the webhook would have written it. */
  readonly config: string;
  readonly paths: PodPaths;
}

async function run({ log, told }: Program): Promise<number> {
  const housed: readonly Housed[] = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
  const { version } = packageJson;
  const deps = { clock: systemClock, random: Math.random, log, version, startFeed, nameServers: () => [] };
  const starting = housed.map(async ({ config, paths }) => {
    const settings = must(readPod({ [SIDECAR_VARIABLE]: config }, paths));
    return must(await startPod(settings, deps));
  });
  const sidecars = await Promise.all(starting);
  await told;
  for (const sidecar of sidecars) sidecar.stop();
  const codes = await Promise.all(sidecars.map(({ done }) => done));
  return Math.max(...codes);
}

collectYoungGarbageBy(youngCollector(process));
runProgram('house of sidecars', process, run);
