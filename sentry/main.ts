// The program of the sentry's image: everything that it needs is in its environment, which the chart has written (env.ts).
//
// It ends with 0 when it was told to, with 1 when it cannot start or has found a bug in itself, and with 64 when its
// environment makes no sense.
import { randomUUID } from 'node:crypto';
import { SENTRY } from '../api/pod.ts';
import { systemClock } from '../kit/clock.ts';
import { createLog, type Log, type LogFormat, type LogLevel } from '../kit/log.ts';
import { openKube } from '../kube/client.ts';
import { runForLeader } from '../kube/lease.ts';
import { readConfig } from './env.ts';
import { startPodSentry } from './pod.ts';

const EXIT = { stopped: 0, failed: 1, usage: 64 } as const;

function openLog(level: LogLevel, format: LogFormat): Log {
  return createLog({ level, format, write: (line) => process.stdout.write(line), now: systemClock.now });
}

/** Ends the process once everything written has been handed to the system. */
function exit(code: number): void {
  process.stdout.write('', () => process.exit(code));
}

async function run(): Promise<number> {
  const told = new Promise<undefined>((stop) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(undefined));
  });
  const env = readConfig(process.env);
  if (!env.ok) {
    for (const mistake of env.error) log.error(mistake);
    return EXIT.usage;
  }
  const config = env.value;
  log = openLog(config.log.level, config.log.format);
  const kubeConfig = config.kubeconfig === undefined ? 'in-cluster' : { kubeconfigFile: config.kubeconfig };
  const kube = openKube({ kubeConfig, fieldManager: SENTRY, clock: systemClock, log });
  if (!kube.ok) {
    log.error(kube.error);
    return EXIT.failed;
  }
  const candidacy = runForLeader(
    kube.value,
    { namespace: config.namespace, name: SENTRY, identity: `${config.replica}_${randomUUID()}` },
    // Leading takes no work of its own: whoever is about to write asks whether it leads.
    { elected: (signal) => new Promise<void>((done) => signal.addEventListener('abort', () => done())) },
    { clock: systemClock, random: Math.random, log },
  );
  const started = await startPodSentry(config, {
    kube: kube.value,
    isLeader: () => candidacy.isLeader(),
    clock: systemClock,
    log,
    audit: openLog('info', config.log.format),
  });
  if (!started.ok) {
    log.error(started.error);
    return EXIT.failed;
  }
  const sentry = started.value;
  const cannotOpen = sentry.opened.then((opened) => (opened.ok ? told : opened.error));
  const trouble = await Promise.race([told, cannotOpen]);
  if (typeof trouble === 'string') log.error(trouble);
  await Promise.all([sentry.stop(), candidacy.stop()]);
  return typeof trouble === 'string' ? EXIT.failed : EXIT.stopped;
}

let log = openLog('info', 'json');
process.stdout.on('error', () => undefined);
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    log.error('this sentry has found a bug in itself and ends', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    exit(EXIT.failed);
  });
}
exit(await run());
