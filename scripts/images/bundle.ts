// Turns a part of Invoke into what its image runs: one JavaScript file per program, and the licences of what is inside.
//
// The bundles are not minified and come without source maps: a stack trace names functions as they are, esbuild's comments say
// which file they are from, and no sidecar spends memory on maps. They are CommonJS: an ES module that imports one of Node's own
// makes Node look at all that it exports, which for some loads a great deal more (node:http its fetch, 20 ms of each start).
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type Metafile } from 'esbuild';

export const ROOT = join(import.meta.dirname, '../..');

/** The programs of each part, by the name under which they lie in /app. */
export const PARTS = {
  sidecar: programs('sidecar/main.ts'),
  sentry: programs('sentry/main.ts'),
  operator: programs('operator/main.ts'),
} as const;

/** The image starts `main`, which starts `program` out of what `compile` left. */
function programs(program: string) {
  return { program, main: 'scripts/images/start.ts', compile: 'scripts/images/compile.ts' } as const;
}

export type Part = keyof typeof PARTS;
export const PART_NAMES: readonly Part[] = ['sidecar', 'sentry', 'operator'];

/** Bundles without writing anything; the metafile says what went in. */
export function bundle(part: Part) {
  return build({
    absWorkingDir: ROOT,
    entryPoints: { ...PARTS[part] },
    outdir: '/app',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    legalComments: 'eof',
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
}

/** Writes the part's programs and licences to the folder, which becomes /app. */
export async function writeBundle(part: Part, folder: string): Promise<void> {
  const { outputFiles, metafile } = await bundle(part);
  await mkdir(folder, { recursive: true });
  for (const { path, contents } of outputFiles) await writeFile(join(folder, basename(path)), contents);
  await writeFile(join(folder, 'LICENSE'), readFileSync(join(ROOT, 'LICENSE')));
  await writeFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), licencesOf(packagesIn(metafile)));
}

/** The folders of the packages whose code is in the bundle, such as node_modules/zod. */
export function packagesIn({ inputs }: Metafile): readonly string[] {
  const folders = Object.keys(inputs).flatMap((path) => {
    const [folder] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path) ?? [];
    return folder === undefined ? [] : [folder];
  });
  return [...new Set(folders)].sort();
}

function licencesOf(packages: readonly string[]): string {
  return packages.map((folder) => `${titleOf(folder)}\n\n${licenceIn(folder)}\n`).join(`\n${'-'.repeat(80)}\n\n`);
}

function titleOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
  return `${name} ${version} (${license})`;
}

function licenceIn(folder: string): string {
  const files = readdirSync(join(ROOT, folder)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  if (files.length === 0) return 'The package brings no licence text of its own.';
  return files.map((name) => readFileSync(join(ROOT, folder, name), 'utf8').trim()).join('\n\n');
}
