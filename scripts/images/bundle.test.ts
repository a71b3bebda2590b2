// What goes into the images, and what stays out.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { bundle, PART_NAMES, PARTS, packagesIn, ROOT, writeBundle } from './bundle.ts';
import { COMPILED, programIn } from './compiled.ts';

/** Looked for by ws and debug, which do without them. */
const OPTIONAL = ['bufferutil', 'supports-color', 'utf-8-validate'];

describe.each(PART_NAMES)('the %s', (part) => {
  let bundled: Awaited<ReturnType<typeof bundle>>;

  beforeAll(async () => {
    bundled = await bundle(part);
  });

  test('is bundled whole: nothing is left to be found at run time but what Node has', () => {
    const imports = Object.values(bundled.metafile.outputs).flatMap((output) => output.imports);
    const outside = imports.filter(({ external }) => external).map(({ path }) => path);
    expect(outside.filter((path) => !isBuiltin(path) && !OPTIONAL.includes(path))).toEqual([]);
  });

  test('lies where its image starts it', () => {
    const paths = bundled.outputFiles.map(({ path }) => path);
    const wanted = Object.keys(PARTS[part]).map((name) => join('/app', `${name}.cjs`));
    expect(paths.toSorted()).toEqual(wanted.toSorted());
  });

  // Two readings of one protocol are one too many, and loading the other takes time at each start.
  test("speaks the platform's HTTP only where it is the control plane", () => {
    const imports = Object.values(bundled.metafile.outputs).flatMap((output) => output.imports);
    const platform = imports.filter(({ path }) => /^(node:)?http[s2]?$/.test(path));
    expect(platform.length > 0).toBe(part !== 'sidecar');
  });

  test('holds the libraries of the control plane only where it is one', () => {
    const heavy = packagesIn(bundled.metafile).filter((path) => /\/(@kubernetes|@grpc|@peculiar)\//.test(path));
    expect(heavy.length > 0).toBe(part !== 'sidecar');
  });
});

test('a sidecar holds no library but the one that reads DNS: each is loaded at every start of every pod', async () => {
  const packages = packagesIn((await bundle('sidecar')).metafile);
  expect(packages).toEqual(['node_modules/@leichtgewicht/ip-codec', 'node_modules/dns-packet']);
});

describe('what is compiled as an image is built', () => {
  test('is compiled by the flags that the image starts with, or it would be refused', () => {
    const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
    const nodes = [...dockerfile.matchAll(/^(?:RUN|ENTRYPOINT) (\["node".*\])$/gm)].map(([, list = '']) =>
      JSON.parse(list),
    );
    expect(nodes.map((words) => words.at(-1))).toEqual(['/app/compile.cjs', '/app/main.cjs']);
    const [compiling, starting] = nodes.map((words) => words.slice(0, -1));
    expect(compiling).toEqual(starting);
  });

  test('is what starts, and a program that was not compiled starts, too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'invoke-image-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    await writeBundle('sidecar', folder);
    const run = (name: string) => spawnSync(execPath, [join(folder, name)], { env: {}, encoding: 'utf8' });
    expect(run('main.cjs')).toMatchObject({ status: 64, stdout: expect.stringContaining('INVOKE_SIDECAR') });
    expect(run('compile.cjs').status).toBe(0);
    expect(programIn(folder).cachedDataRejected).toBe(false);
    expect(run('main.cjs')).toMatchObject({ status: 64, stdout: expect.stringContaining('INVOKE_SIDECAR') });
    writeFileSync(join(folder, COMPILED), 'of another engine');
    expect(run('main.cjs')).toMatchObject({ status: 64, stdout: expect.stringContaining('INVOKE_SIDECAR') });
  });
});
