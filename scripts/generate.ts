// Writes down whatever is made from the sources: `npm run generate`. A test fails where a file differs from its source.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GENERATED } from './generate/all.ts';

const ROOT = join(import.meta.dirname, '..');

for (const { path, text } of GENERATED) {
  const file = join(ROOT, path);
  const wanted = text();
  if (read(file) === wanted) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, wanted);
  console.log(`wrote ${path}`);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
