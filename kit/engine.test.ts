// Switches of the engine, each in a process of its own.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { expect, test } from 'vitest';

const ENGINE = JSON.stringify(join(import.meta.dirname, 'engine.ts'));

function run(script: string, ...flags: readonly string[]): string {
  const { stdout, stderr } = spawnSync(execPath, [...flags, '--input-type=module', '-e', script], { encoding: 'utf8' });
  return stdout + stderr;
}

const HOT =
  'let sum = 0; const add = (n) => { for (let i = 0; i < n; i++) sum += i % 7; }; for (let i = 0; i < 5000; i++) add(2000);';

test('one of the two optimizing compilers is left out from then on', () => {
  expect(run(HOT, '--trace-opt')).toContain('MAGLEV');
  const without = run(`import { withoutMaglev } from ${ENGINE}; withoutMaglev(process); ${HOT}`, '--trace-opt');
  expect(without).toContain('TURBOFAN');
  expect(without.split('export function').at(-1)).not.toContain('MAGLEV');
});

test('the young generation is collected where no flag was given, and what is kept stays', () => {
  const script = `import { youngCollector } from ${ENGINE}; const collect = youngCollector(process); collect(); collect(); console.log(typeof gc);`;
  const told = run(script, '--trace-gc');
  expect(told.match(/Scavenge/g)?.length).toBeGreaterThanOrEqual(2);
  expect(told).toContain('undefined');
});
