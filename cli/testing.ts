// For tests of the CLI: hosts without a process around them, and real processes that are gone when the test is.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath, kill, env as ownEnv } from 'node:process';
import { PassThrough } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { systemClock } from '../kit/clock.ts';
import { portOf, silentServer } from '../kit/testing/ports.ts';
import { processes } from '../kit/testing/processes.ts';
import type { Env, Host } from './host.ts';

/** Nobody listens to it and nothing is alive on it. */
export function silentHost(): Host {
  return {
    env: {},
    cwd: '/somewhere',
    home: '/home/user',
    stdin: new PassThrough(),
    stdout: new PassThrough().resume(),
    stderr: new PassThrough().resume(),
    clock: systemClock,
    random: () => 0.5,
    processes: { ownPid: 1, startTime: () => undefined },
    self: { nodePath: 'node', nodeFlags: [], mainPath: 'main.ts' },
    parent: undefined,
    onSignal: () => () => undefined,
    signal: () => false,
  };
}

const invokectl = fileURLToPath(new URL('../bin/invokectl', import.meta.url));

/** Takes what is to be done when that is over for which something was started: the test, if nothing else is said. */
export type AtEnd = (end: () => void | Promise<void>) => void;

export function throwawayFolder(name: string, atEnd: AtEnd = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return folder;
}

export interface Cli {
  readonly child: ChildProcess;
  /** The exit code; 128 and more for a signal. */
  readonly ended: Promise<number>;
  stdout(): string;
  stderr(): string;
  /** The first match in what it has printed or will print, on either stream; fails when it ends without. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Time enough for a graceful end. */
const END_WITHIN_MS = 10_000;

/** Runs invokectl as people do; it is ended with the test, or as `atEnd` says, if it has not ended before. */
export function startCli(args: readonly string[], env: Env, input?: string | Buffer, atEnd?: AtEnd): Cli {
  const cli = startProgram(invokectl, args, env, atEnd);
  cli.child.stdin.end(input);
  return cli;
}

/** The same for any program; its input stays open. */
export function startProgram(
  path: string,
  args: readonly string[],
  env: Env,
  atEnd: AtEnd = onTestFinished,
): Cli & { readonly child: ChildProcessWithoutNullStreams } {
  const child = spawn(path, args, { env: { ...cleanEnv(), ...env }, stdio: 'pipe' });
  child.stdin.on('error', () => undefined);
  const output = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const looks = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] = Buffer.concat([output[name], chunk]);
      for (const look of looks) look();
    });
  }
  const ended = once(child, 'close').then(([code, signal]) =>
    typeof code === 'number' ? code : 128 + signalOf(signal),
  );
  atEnd(async () => {
    child.kill('SIGTERM');
    const cancel = systemClock.after(END_WITHIN_MS, () => child.kill('SIGKILL'));
    await ended;
    cancel();
  });
  const all = () => `${output.stdout}\n${output.stderr}`;
  return {
    child,
    ended,
    stdout: () => output.stdout.toString('latin1'),
    stderr: () => output.stderr.toString(),
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(all());
          if (match) resolve(match);
        };
        looks.add(look);
        look();
        void ended.then(() => reject(new Error(`it ended without printing ${pattern}:\n${all()}`)));
      }),
  };
}

function signalOf(signal: unknown): number {
  return signal === 'SIGKILL' ? 9 : 0;
}

/** Nothing of the machine that the tests run on may steer them. */
function cleanEnv(): Env {
  return { PATH: ownEnv.PATH, HOME: '/nonexistent', NODE_NO_WARNINGS: '1' };
}

/** `node -e` for an app of a few lines. */
export function app(script: string): readonly string[] {
  return [execPath, '--input-type=module', '-e', script];
}

/** Ends with the process, whoever's child it is. */
export async function untilGone(otherPid: number): Promise<void> {
  await until(() => (processes.startTime(otherPid) === undefined ? 'gone' : undefined));
}

const LOOK_EVERY_MS = 20;

/** What a look finds, once it finds something: for what no event reports. */
export async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await setTimeout(LOOK_EVERY_MS);
  }
}

/** Kills a process with the test if it is still there by then. */
export function killedWithTheTest(otherPid: number): void {
  onTestFinished(() => {
    if (processes.startTime(otherPid) !== undefined) kill(otherPid, 'SIGKILL');
  });
}

/** A port that somebody else holds for as long as the test. */
export async function takenPort(): Promise<number> {
  const server = await silentServer();
  onTestFinished(() => void server.close());
  return portOf(server);
}
