// What an image starts: its program, out of what was compiled of it.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { programIn } from './compiled.ts';

const module = { exports: {} };
const require = createRequire(join(__dirname, 'program.cjs'));
programIn(__dirname).runInThisContext()(module.exports, require, module, join(__dirname, 'program.cjs'), __dirname);
