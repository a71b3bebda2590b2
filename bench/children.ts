// The processes that a run starts: each is ended by its id, whatever way the run ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { sleep, systemClock } from '../kit/clock.ts';
import { err, ok, type Result } from '../kit/result.ts';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Added to the environment of the run. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Child {
  /** For messages. */
  readonly name: string;
  readonly pid: number;
  /** `performance.now()` when it was started. */
  readonly startedMs: number;
  /** Once it has ended: a sentence with how, and the last that it wrote to its standard error. */
  death(): string | undefined;
  /** Written to its standard input. */
  say(line: string): void;
  /** The next line of its standard output, or how it died instead. */
  heard(): Promise<Result<string>>;
  /** Settles when it is gone. */
  end(): Promise<void>;
}

export interface Children {
  /** Or why it cannot be run. Once all were ended, none is started any more. */
  start(name: string, command: Command): Result<Child>;
  endAll(): Promise<void>;
  /** At once and without waiting, for the very end of this process. */
  killAll(): void;
}

const LAST_LINES = 5;
const GRACE_MS = 5000;

export function openChildren(): Children {
  const live = new Set<ChildProcess>();
  let isOver = false;
  return {
    start(name, { file, args, env }) {
      if (isOver) return err(`${name}: the run is over`);
      const startedMs = performance.now();
      const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
      child.on('error', () => undefined);
      const { pid } = child;
      if (pid === undefined) return err(`${name}: ${file} cannot be run`);
      live.add(child);
      child.once('exit', () => live.delete(child));
      return ok(childOf(name, child, pid, startedMs));
    },
    async endAll() {
      isOver = true;
      await Promise.all([...live].map(end));
    },
    killAll() {
      for (const child of live) child.kill('SIGKILL');
    },
  };
}

function childOf(name: string, process: ReturnType<typeof spawn>, pid: number, startedMs: number): Child {
  const lastWords: string[] = [];
  const { stdin, stdout, stderr } = process;
  if (stdin === null || stdout === null || stderr === null) throw new Error(`${name} was started without pipes`);
  const exited = once(process, 'exit');
  const lines = createInterface({ input: stdout });
  const unheard: string[] = [];
  for (const stream of [lines, createInterface({ input: stderr })]) {
    stream.on('line', (line) => {
      lastWords.push(line);
      if (lastWords.length > LAST_LINES) lastWords.shift();
    });
  }
  let hear: ((line: string) => void) | undefined;
  lines.on('line', (line) => {
    if (hear === undefined) unheard.push(line);
    else hear(line);
    hear = undefined;
    // Whoever writes more than is asked for is writing a log.
    if (unheard.length > LAST_LINES) unheard.shift();
  });
  stdin.on('error', () => undefined);
  const death = () => {
    if (process.exitCode === null && process.signalCode === null) return undefined;
    return `${name} ended with ${process.exitCode ?? process.signalCode}: ${lastWords.join(' | ') || 'it said nothing'}`;
  };
  return {
    ...{ name, pid, startedMs, death },
    say: (line) => void stdin.write(`${line}\n`),
    heard() {
      const said = unheard.shift();
      if (said !== undefined) return Promise.resolve(ok(said));
      const next = new Promise<Result<string>>((done) => {
        hear = (line) => done(ok(line));
      });
      return Promise.race([next, exited.then(() => err(death() ?? `${name} ended`))]);
    },
    end: () => end(process),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const isGone = await Promise.race([exited.then(() => true), sleep(systemClock, GRACE_MS).then(() => false)]);
  if (!isGone) child.kill('SIGKILL');
  await exited;
}
