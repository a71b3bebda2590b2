// For tests: programs that others wrote. Where one is not installed, its tests are skipped and say so.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { promisify } from 'node:util';
import { findProgram as findProgramIn } from '../../kit/find-program.ts';

const run = promisify(execFile);

/** Where `scripts/interop-tools.ts` puts what it builds. */
export const PROGRAMS_FOLDER = join(import.meta.dirname, '../../node_modules/.cache/interop');

/** All that the tests look for. */
export const PROGRAMS = ['go', 'h2spec', 'grpcurl', 'curl', 'nghttp', 'h2load', 'nghttpd', 'java'];

export function findProgram(name: string): string | undefined {
  return findProgramIn(name, [PROGRAMS_FOLDER, ...(env.PATH ?? '').split(':'), '/usr/local/go/bin']);
}

/** The path of the program; where there is none, the test is skipped and says why. */
export function program(name: string, skip: (reason: string) => never): string {
  return findProgram(name) ?? skip(`${name} is not installed; see \`npm run interop:tools\``);
}

/** What a program says that must end well, by itself and in good time. */
export async function outputOf(path: string, args: readonly string[], input = ''): Promise<string> {
  const running = run(path, args, { maxBuffer: 2 ** 26, encoding: 'latin1', timeout: 60_000 });
  running.child.stdin?.end(input);
  return (await running).stdout;
}

/** A program in Go, built for one file of tests. */
export interface GoProgram {
  readonly path: string;
  remove(): Promise<void>;
}

export const NO_GO = 'go is not installed';
/** The first build of a machine compiles Go's library, too, and fetches what the program stands on. */
export const GO_BUILD_LIMIT_MS = 600_000;

/** From a folder with a `main.go`, and a `go.mod` where it stands on other modules; undefined where there is no Go. */
export async function buildGoProgram(folder: string): Promise<GoProgram | undefined> {
  const go = findProgram('go');
  if (go === undefined) return undefined;
  const into = await mkdtemp(join(tmpdir(), 'go-peer-'));
  const path = join(into, 'peer');
  const readonly = { env: { ...env, GOFLAGS: '-mod=readonly' } };
  await run(go, ['build', '-o', path, 'main.go'], { cwd: folder, ...readonly, timeout: GO_BUILD_LIMIT_MS });
  return { path, remove: () => rm(into, { recursive: true, force: true }) };
}

/** A program that says its port first, and serves until its input ends. */
export async function serving(
  path: string,
  ...args: readonly string[]
): Promise<{ port: number; stop(): Promise<void> }> {
  const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [line] = await once(child.stdout, 'data');
  return {
    port: Number(String(line)),
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
