// The program invokectl: the one place of the CLI that touches the process, its arguments and its environment.
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../kit/clock.ts';
import { codeOf } from '../kit/errors.ts';
import { openProcesses } from '../kit/processes.ts';
import { type Host, type ParentChannel, STOP_SIGNALS } from './host.ts';
import { reportBug, runCli } from './program.ts';

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return codeOf(error) === 'EPERM';
  }
}

function parentChannel(): ParentChannel | undefined {
  if (process.send === undefined) return undefined;
  return {
    send: (message) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
    },
    onMessage: (listener) => {
      process.on('message', listener);
      return () => process.off('message', listener);
    },
    onGone: (listener) => {
      process.on('disconnect', listener);
      return () => process.off('disconnect', listener);
    },
  };
}

const host: Host = {
  env: process.env,
  cwd: process.cwd(),
  home: homedir(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  random: Math.random,
  processes: openProcesses({ ownPid: process.pid, platform: process.platform, exists: (pid) => send(pid, 0) }),
  self: { nodePath: process.execPath, nodeFlags: process.execArgv, mainPath: fileURLToPath(import.meta.url) },
  parent: parentChannel(),
  onSignal: (listener) => {
    for (const signal of STOP_SIGNALS) process.on(signal, listener);
    return () => {
      for (const signal of STOP_SIGNALS) process.off(signal, listener);
    };
  },
  signal: send,
};

/** Ends the process once everything written has been handed to the system. */
function exit(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

const args = process.argv.slice(2);
// A reader that has gone away (`invokectl list | head`) is no reason to fail.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => exit(reportBug(error, args, host)));
}
// A command that only waits (Clock's timers keep no process alive) must not end for want of anything else to do.
setInterval(() => undefined, 2 ** 30);
runCli(args, host).then(exit, (error: unknown) => exit(reportBug(error, args, host)));
