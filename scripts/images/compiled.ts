// The program of an image, and what the engine has compiled of it while the image was built: half of its start would be that, each
// time anew. What was compiled by another engine, or of another text, is refused by the engine itself, and then compiled as ever.
// Nothing is written at run time.
import { existsSync, readFileSync } from 'node:fs';
import { wrap } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** Beside the program, of that name. */
export const COMPILED = 'program.compiled';

export function programIn(folder: string): Script {
  const filename = join(folder, 'program.cjs');
  const compiled = join(folder, COMPILED);
  return new Script(wrap(readFileSync(filename, 'utf8')), {
    filename,
    ...(existsSync(compiled) && { cachedData: readFileSync(compiled) }),
  });
}
