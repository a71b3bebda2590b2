// The load generator and the app as the run sees them: one compiled program (load/), started twice, which answers in lines of JSON.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../kit/result.ts';
import type { Child, Children } from './children.ts';
import type { FromLoad, LoadOrder, LoadResult } from './load-order.ts';
import { findProgram } from './pairs/programs.ts';

/** Where its own instructions have it installed, which is not on everybody's path. */
const USUAL_GO = '/usr/local/go/bin';
const SOURCES = join(import.meta.dirname, 'load');
/** The first build of a machine compiles Go's library, too. */
const BUILD_MS_MAX = 600_000;

/** The file of the program. Without Go, one that was built here before has to do. */
export function buildLoad(cacheFolder: string, path: string | undefined): Result<string> {
  const file = join(cacheFolder, 'load');
  const go = findProgram('go', path) ?? findProgram('go', USUAL_GO);
  if (go === undefined) {
    if (!existsSync(file))
      return err('there is no go on the path; load generator and app are built by it (https://go.dev/dl)');
    console.log('There is no go on the path: load generator and app are those that were built here before.');
    return ok(file);
  }
  mkdirSync(cacheFolder, { recursive: true });
  const args = ['build', '-C', SOURCES, '-trimpath', '-buildvcs=false', '-o', file, '.'];
  const { status, stderr, error } = spawnSync(go, args, { encoding: 'utf8', timeout: BUILD_MS_MAX });
  return status === 0 ? ok(file) : err(`load generator and app could not be built: ${error?.message ?? stderr.trim()}`);
}

export interface LoadGenerator {
  /** One order at a time. */
  measure(order: LoadOrder): Promise<Result<LoadResult>>;
}

export function startLoadGenerator(children: Children, file: string): Result<LoadGenerator> {
  const child = children.start('load generator', { file, args: ['load'] });
  if (!child.ok) return child;
  return ok({ measure: (order) => measure(child.value, order) });
}

async function measure(child: Child, order: LoadOrder): Promise<Result<LoadResult>> {
  child.say(JSON.stringify(order));
  const line = await child.heard();
  if (!line.ok) return line;
  const message: FromLoad = JSON.parse(line.value);
  return message.kind === 'measured' ? ok(message.result) : err(message.reason);
}

export interface App {
  readonly httpPort: number;
  readonly grpcPort: number;
}

export async function startApp(children: Children, file: string): Promise<Result<App>> {
  const child = children.start('app', { file, args: ['app'] });
  if (!child.ok) return child;
  const line = await child.value.heard();
  return line.ok ? ok(JSON.parse(line.value)) : line;
}
