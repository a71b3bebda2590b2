// Run once, as an image is built, by the Node and with the flags that will run it: compiles its program.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILED, programIn } from './compiled.ts';

writeFileSync(join(__dirname, COMPILED), programIn(__dirname).createCachedData());
