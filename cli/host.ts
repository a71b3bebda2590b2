// All that a command may know of the process and the machine it runs on. main.ts makes one from the real process;
// nothing else in cli/ touches `process`.
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Random } from '../kit/backoff.ts';
import type { Cancel, Clock } from '../kit/clock.ts';
import type { Processes } from '../kit/processes.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** The signals by which people and supervisors end a program. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** The process that started this one with an IPC channel. */
export interface ParentChannel {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): Cancel;
  /** The parent has ended, however: even by SIGKILL. */
  onGone(listener: () => void): Cancel;
}

export interface Host {
  readonly env: Env;
  readonly cwd: string;
  readonly home: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly clock: Clock;
  readonly random: Random;
  readonly processes: Processes;
  /** How to start this program once more. */
  readonly self: { readonly nodePath: string; readonly nodeFlags: readonly string[]; readonly mainPath: string };
  readonly parent: ParentChannel | undefined;
  /** While anybody listens, these signals no longer end this process. */
  onSignal(listener: (signal: StopSignal) => void): Cancel;
  /** Sends a signal; a negative number means a process group. False: there is no such process. */
  signal(pid: number, signal: NodeJS.Signals): boolean;
}

/** What a command's end means, in the numbers of sysexits(3) where there is one. */
export const EXIT = { ok: 0, failed: 1, usage: 64, unavailable: 69, bug: 70 } as const;

/** One line to people, on stderr. */
export function say(host: Host, message: string): void {
  host.stderr.write(`invokectl: ${message}\n`);
}

/** Takes the exit code of a command. */
export type Finish = (exitCode: number) => void;

/** One line for each mistake, and the exit code that means them. */
export function refuse(mistakes: readonly string[], host: Host, finish: Finish): void {
  for (const mistake of mistakes) say(host, mistake);
  finish(EXIT.usage);
}

/** Where everything of this user lies: CA, registry. */
export function invokeHome(host: Host): string {
  return nonEmpty(host.env.INVOKE_HOME) ?? `${host.home}/.invoke`;
}

export function registryDirectory(host: Host): string {
  return `${invokeHome(host)}/registry`;
}

/** An environment variable that is set to nothing is as good as not set. */
export function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** What shells report for a program that a signal ended. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : (SIGNAL_NUMBERS[signal] ?? 0));
}

const SIGNAL_NUMBERS: Readonly<Partial<Record<NodeJS.Signals, number>>> = constants.signals;
