// The program of the sidecar's image: everything that it needs is in its environment, which the webhook has written.
//
// It ends with 0 when it was told to and has lost nothing, with 1 when calls were cut off, when it cannot start or when it
// has found a bug in itself, and with 64 when its environment makes no sense.
import { systemClock } from '../kit/clock.ts';
import { youngCollector } from '../kit/engine.ts';
import { EXIT, type Program, runProgram } from '../kit/program.ts';
import { collectYoungGarbageBy } from '../kit/young-garbage.ts';
import packageJson from '../package.json' with { type: 'json' };
import { startFeed } from './feed/client.ts';
import { readPod, startPod } from './pod.ts';

async function run({ log: firstLog, logAs, told }: Program): Promise<number> {
  const settings = readPod(process.env);
  if (!settings.ok) {
    firstLog.error(settings.error);
    return EXIT.usage;
  }
  const log = logAs(settings.value.log);
  const { version } = packageJson;
  const starting = startPod(settings.value, { clock: systemClock, random: Math.random, log, version, startFeed });
  const pod = await Promise.race([starting, told]);
  // Told to stop before it has begun.
  if (pod === undefined) return EXIT.stopped;
  if (!pod.ok) {
    log.error(pod.error);
    return EXIT.failed;
  }
  void told.then(() => pod.value.stop());
  return pod.value.done;
}

collectYoungGarbageBy(youngCollector(process));
runProgram('sidecar', process, run);
