// The program of the operator's image: everything that it needs is in its environment, which the chart has written (env.ts).
// With KUBECONFIG it runs outside a cluster, for development.
//
// It ends with 0 when it was told to, with 1 when it cannot start or has found a bug in itself, and with 64 when its
// environment makes no sense.
import { OPERATOR } from '../api/pod.ts';
import { systemClock } from '../kit/clock.ts';
import { messageOf } from '../kit/errors.ts';
import { createLog, type Log, type LogFormat, type LogLevel } from '../kit/log.ts';
import { openKube } from '../kube/client.ts';
import { readConfig } from './env.ts';
import { startOperator } from './operator.ts';

const EXIT = { stopped: 0, failed: 1, usage: 64 } as const;

function openLog(level: LogLevel, format: LogFormat): Log {
  return createLog({ level, format, write: (line) => process.stdout.write(line), now: systemClock.now });
}

/** Ends the process once everything written has been handed to the system. */
function exit(code: number): void {
  process.stdout.write('', () => process.exit(code));
}

async function run(): Promise<number> {
  const told = new Promise<void>((stop) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop());
  });
  const config = readConfig(process.env);
  if (!config.ok) {
    for (const mistake of config.error) log.error(mistake);
    return EXIT.usage;
  }
  log = openLog(config.value.log.level, config.value.log.format);
  const { kubeconfig } = config.value;
  const kubeConfig = kubeconfig === undefined ? 'in-cluster' : { kubeconfigFile: kubeconfig };
  const kube = openKube({ kubeConfig, fieldManager: OPERATOR, clock: systemClock, log });
  if (!kube.ok) {
    log.error(kube.error);
    return EXIT.failed;
  }
  const started = await startOperator(config.value, { kube: kube.value, clock: systemClock, random: Math.random, log });
  if (!started.ok) {
    log.error(started.error);
    return EXIT.failed;
  }
  await told;
  await started.value.stop();
  return EXIT.stopped;
}

function reportBug(error: unknown): void {
  log.error(`a bug: ${messageOf(error)}`, { stack: error instanceof Error ? error.stack : undefined });
  exit(EXIT.failed);
}

let log = openLog('info', 'json');
for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, reportBug);
// Clock's timers keep no process alive, and before anything listens nothing else does.
setInterval(() => undefined, 2 ** 30);
run().then(exit, reportBug);
