// The load generator and the app as the run sees them: processes that are told something and answer in lines of JSON.
import { join } from 'node:path';
import { ok, type Result } from '../kit/result.ts';
import type { Child, Children } from './children.ts';
import type { FromLoad, LoadOrder, LoadResult } from './load-order.ts';

export interface LoadGenerator {
  /** One order at a time. */
  measure(order: LoadOrder): Promise<Result<LoadResult>>;
}

export function startLoadGenerator(children: Children): Result<LoadGenerator> {
  const child = startProgram(children, 'load.ts');
  if (!child.ok) return child;
  return ok({
    async measure(order) {
      child.value.say(JSON.stringify(order));
      const line = await child.value.heard();
      if (!line.ok) return line;
      const message: FromLoad = JSON.parse(line.value);
      if (message.kind === 'measured') return ok(message.result);
      return { ok: false, error: message.reason };
    },
  });
}

export interface App {
  readonly pid: number;
  readonly port: number;
}

export async function startApp(children: Children): Promise<Result<App>> {
  const child = startProgram(children, 'app.ts');
  if (!child.ok) return child;
  const line = await child.value.heard();
  if (!line.ok) return line;
  const { port }: { port: number } = JSON.parse(line.value);
  return ok({ pid: child.value.pid, port });
}

function startProgram(children: Children, name: string): Result<Child> {
  return children.start(name, { file: process.execPath, args: [join(import.meta.dirname, name)] });
}
