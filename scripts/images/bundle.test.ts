// What goes into the images, and what stays out.
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { bundle, PART_NAMES, PARTS, packagesIn } from './bundle.ts';

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
