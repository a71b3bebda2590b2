// The two processes of `invokectl run`, as far as it needs to know them.
import { type ChildProcess, spawn } from 'node:child_process';
import type { SidecarPorts } from '../sidecar/sidecar.ts';
import { type FromSidecar, isFromSidecar, type ToSidecar } from './channel.ts';
import { type Env, exitCodeOf, type Host } from './host.ts';
import { copyWithPrefix } from './prefix.ts';

/** How long a pipe may stay silent and open after its process ended, held by some grandchild, before it is let go. */
const QUIET_PIPE_MAX_MS = 1000;

export interface Child {
  readonly pid: number;
  /** The exit code as a shell tells it, once all output has been passed on. Never rejects. */
  readonly ended: Promise<number>;
}

export interface SidecarChild extends Child {
  tell(message: ToSidecar): void;
  kill(): void;
}

export type SidecarStart =
  | { readonly kind: 'started'; readonly ports: SidecarPorts }
  /** `message` is undefined where the sidecar said so itself. */
  | { readonly kind: 'failed'; readonly exitCode: number; readonly message: string | undefined };

export interface SpawnedSidecar {
  readonly child: SidecarChild;
  /** Settles once; never rejects. */
  readonly start: Promise<SidecarStart>;
  readonly onStopAsked: (listener: () => void) => void;
  /** Settles once it has drained, or ended. */
  readonly drained: Promise<void>;
}

/** Its own process group: a terminal's Ctrl-C is for the app, and the sidecar serves it until it is gone. */
export function spawnSidecar(args: readonly string[], prefix: string, host: Host): SpawnedSidecar {
  const { nodePath, nodeFlags, mainPath } = host.self;
  const child = spawn(nodePath, [...nodeFlags, mainPath, 'sidecar', '--supervised', ...args], {
    cwd: host.cwd,
    env: { ...host.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let message: string | undefined;
  const ended = endOf(child, [pipe(child.stdout, host.stderr, prefix), pipe(child.stderr, host.stderr, prefix)], host);
  const start = new Promise<SidecarStart>((resolve) => {
    child.on('message', (said) => {
      if (!isFromSidecar(said)) return;
      if (said.kind === 'started') resolve({ kind: 'started', ports: said.ports });
      if (said.kind === 'failed') message = said.message;
    });
    void ended.then((exitCode) => resolve({ kind: 'failed', exitCode, message }));
  });
  const onSaid = (kind: FromSidecar['kind'], listener: () => void) =>
    child.on('message', (said) => {
      if (isFromSidecar(said) && said.kind === kind) listener();
    });
  return {
    child: {
      pid: child.pid ?? 0,
      ended,
      tell: (told) => {
        if (child.connected) child.send(told, () => undefined);
      },
      kill: () => child.kill('SIGKILL'),
    },
    start,
    onStopAsked: (listener) => onSaid('stop-asked', listener),
    drained: new Promise((resolve) => {
      onSaid('drained', resolve);
      void ended.then(() => resolve());
    }),
  };
}

export type AppStart =
  | { readonly kind: 'started'; readonly app: Child }
  | { readonly kind: 'failed'; readonly code: string };

/**
 * Its own process group, so that each signal reaches it and its children once, by our hand. A terminal's input stays
 * with the terminal: reading it from another group would stop the app without a word.
 */
export function spawnApp(command: readonly string[], env: Env, prefix: string, host: Host): Promise<AppStart> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd: host.cwd,
    env: { ...env },
    detached: true,
    stdio: [host.stdin.isTTY ? 'ignore' : 'inherit', 'pipe', 'pipe'],
  });
  const pipes = [pipe(child.stdout, host.stdout, prefix), pipe(child.stderr, host.stderr, prefix)];
  return new Promise((resolve) => {
    child.once('spawn', () =>
      resolve({ kind: 'started', app: { pid: child.pid ?? 0, ended: endOf(child, pipes, host) } }),
    );
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ kind: 'failed', code: error.code ?? error.message }),
    );
  });
}

interface Pipe {
  readonly source: NonNullable<ChildProcess['stdout']>;
  readonly ended: Promise<void>;
}

function pipe(source: ChildProcess['stdout'], sink: Host['stdout'], prefix: string): Pipe {
  if (source === null) throw new Error('a child was started without the pipe that its output needs');
  return { source, ended: new Promise((resolve) => copyWithPrefix(source, sink, prefix, resolve)) };
}

function endOf(child: ChildProcess, pipes: readonly Pipe[], host: Host): Promise<number> {
  return new Promise((resolve) => {
    const finish = (code: number) => {
      for (const { source } of pipes) letGoWhenQuiet(source, host);
      void Promise.all(pipes.map(({ ended }) => ended)).then(() => resolve(code));
    };
    child.once('exit', (code, signal) => finish(exitCodeOf(code, signal)));
    child.once('error', () => finish(1));
  });
}

function letGoWhenQuiet(source: Pipe['source'], { clock }: Host): void {
  let isQuiet = true;
  source.on('data', () => {
    isQuiet = false;
  });
  const check = () => {
    // A paused pipe waits for whoever reads our own output, and is not quiet.
    if (isQuiet && !source.isPaused()) return source.destroy();
    isQuiet = true;
    return clock.after(QUIET_PIPE_MAX_MS, check);
  };
  clock.after(QUIET_PIPE_MAX_MS, check);
}
