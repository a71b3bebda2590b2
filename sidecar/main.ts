// The program of the sidecar's image: everything that it needs is in its environment, which the webhook has written.
//
// It ends with 0 when it was told to and has lost nothing, with 1 when calls were cut off, when it cannot start or when it
// has found a bug in itself, and with 64 when its environment makes no sense.

import { systemClock } from '../kit/clock.ts';
import { createLog, type Log, type LogFormat, type LogLevel } from '../kit/log.ts';
import packageJson from '../package.json' with { type: 'json' };
import { startFeed } from './feed/client.ts';
import { readPod, startPod } from './pod.ts';

const EXIT = { failed: 1, usage: 64 } as const;

function openLog(level: LogLevel, format: LogFormat): Log {
  return createLog({ level, format, write: (line) => process.stdout.write(line), now: systemClock.now });
}

/** Ends the process once everything written has been handed to the system. */
function exit(code: number): void {
  process.stdout.write('', () => process.exit(code));
}

async function run(): Promise<number> {
  const settings = readPod(process.env);
  if (!settings.ok) {
    log.error(settings.error);
    return EXIT.usage;
  }
  log = openLog(settings.value.log.level, settings.value.log.format);
  // Before anything else that takes time: a signal that nobody listens to ends the process.
  let stop = () => {
    exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop());
  const { version } = packageJson;
  const pod = await startPod(settings.value, { clock: systemClock, random: Math.random, log, version, startFeed });
  if (!pod.ok) {
    log.error(pod.error);
    return EXIT.failed;
  }
  stop = pod.value.stop;
  return pod.value.done;
}

let log = openLog('info', 'json');
process.stdout.on('error', () => undefined);
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    log.error('this sidecar has found a bug in itself and ends', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    exit(EXIT.failed);
  });
}
exit(await run());
