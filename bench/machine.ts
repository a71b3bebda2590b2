// On what was measured: told with every number, because no number means anything without.
import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

export function machine(): string {
  const [first] = cpus();
  const model = (first?.model ?? 'unknown processor').replace(/\s+/g, ' ').trim();
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${model}, ${memoryGib} GiB, Linux ${release()}, Node ${process.versions.node}`;
}

/** Work that waits for a processor, on the average of the last minute. */
export function load(): number {
  return loadavg()[0] ?? 0;
}

/** With `+` where the sources differ from it; empty outside of a git checkout. */
export function commit(): string {
  const git = (...args: readonly string[]) =>
    spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' }).stdout?.trim() ?? '';
  const head = git('rev-parse', '--short=12', 'HEAD');
  return git('status', '--porcelain') === '' ? head : `${head}+`;
}
