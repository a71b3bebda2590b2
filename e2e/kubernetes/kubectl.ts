// kubectl and helm as a user has them: run by name, against the cluster that KUBECONFIG names.
import { spawn } from 'node:child_process';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever it is; `input` goes to its standard input. */
export function run(
  file: string,
  args: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ran> {
  return new Promise((settle, fail) => {
    const child = spawn(file, args, { env, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.once('error', fail);
    child.once('close', (status) => settle({ status: status ?? 1, stdout, stderr }));
    child.stdin.on('error', () => undefined).end(input);
  });
}

/** What kubectl printed; it throws with kubectl's own words when that failed. */
export async function kubectl(...args: readonly string[]): Promise<string> {
  return printed('kubectl', args);
}

export async function helm(...args: readonly string[]): Promise<string> {
  return printed('helm', args);
}

/** kubectl that is expected to fail: what it said. */
export async function refused(args: readonly string[], input?: string): Promise<string> {
  const { status, stdout, stderr } = await run('kubectl', args, input);
  if (status === 0) throw new Error(`kubectl ${args.join(' ')} went through: ${stdout}`);
  return stderr;
}

/** As the API server has it, without a type: a suite reads what it needs. */
export async function get<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl('get', '-o', 'json', ...args));
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export async function apply(...objects: readonly Manifest[]): Promise<void> {
  await printed('kubectl', ['apply', '-f', '-'], listOf(objects));
}

/** The words with which an object is refused. */
export function applyRefused(...objects: readonly Manifest[]): Promise<string> {
  return refused(['apply', '-f', '-'], listOf(objects));
}

export function listOf(objects: readonly Manifest[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
}

async function printed(file: string, args: readonly string[], input?: string): Promise<string> {
  const { status, stdout, stderr } = await run(file, args, input);
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}\n${stderr}${stdout}`);
  return stdout;
}

/** Looks again until it is so. What is waited for has no event that could be awaited from here. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  limitMs = 120_000,
): Promise<T> {
  const endMs = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > endMs)
      throw new Error(`${what}: not within ${limitMs / 1000} s${last === undefined ? '' : `; ${last}`}`);
    await new Promise((again) => setTimeout(again, 250));
  }
}
