// A program that runs in a container: it logs to its standard output, hears that it is to stop, and ends with a code that says
// why it ended.
import { systemClock } from './clock.ts';
import { withoutMaglev } from './engine.ts';
import { createLog, type Log, type LogFormat, type LogLevel } from './log.ts';

export const EXIT = { stopped: 0, failed: 1, usage: 64 } as const;

/** What it takes of the process, which only main files may name. */
export type OwnProcess = Pick<NodeJS.Process, 'on' | 'exit' | 'stdout' | 'getBuiltinModule'>;

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

export interface Program {
  /** Until it is known how to log: from info on, in JSON. */
  readonly log: Log;
  /** The log from here on, for what this shell has to say, too. */
  logAs(settings: LogSettings): Log;
  /** A further log on the same output. */
  openLog(settings: LogSettings): Log;
  /** Settles when the process is told to stop. */
  readonly told: Promise<void>;
}

/** By then it has loaded what it needs of the platform. */
const SETTLED_MS = 1000;

/** Ends the process with the code that `run` settles with. What is thrown is a bug. */
export function runProgram(name: string, own: OwnProcess, run: (program: Program) => Promise<number>): void {
  const write = (line: string) => own.stdout.write(line);
  const openLog = (settings: LogSettings) => createLog({ ...settings, write, now: systemClock.now });
  let log = openLog({ level: 'info', format: 'json' });
  // A Clock's timers keep no process alive, and before anything listens nothing else does.
  const keptAlive = setInterval(() => undefined, 2 ** 30);
  const exit = (code: number) => {
    clearInterval(keptAlive);
    // Once everything written has been handed to the system.
    own.stdout.write('', () => own.exit(code));
  };
  const reportBug = (error: unknown) => {
    const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log.error(`this ${name} has found a bug in itself and ends`, { error: trace });
    exit(EXIT.failed);
  };
  // Whoever reads the log may be gone.
  own.stdout.on('error', () => undefined);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) own.on(event, reportBug);
  // At once: a signal that nobody listens to ends the process.
  const told = new Promise<void>((stop) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) own.on(signal, () => stop());
  });
  const logAs = (settings: LogSettings) => {
    log = openLog(settings);
    return log;
  };
  systemClock.after(SETTLED_MS, () => withoutMaglev(own));
  run({ log, logAs, openLog, told }).then(exit, reportBug);
}
