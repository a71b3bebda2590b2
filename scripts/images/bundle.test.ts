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

  // What stands on wire/ has one reading of HTTP/2, and starts without loading another.
  test("speaks the platform's HTTP/2 only where it is the control plane", () => {
    const imports = Object.values(bundled.metafile.outputs).flatMap((output) => output.imports);
    expect(imports.some(({ path }) => path === 'node:http2' || path === 'http2')).toBe(part !== 'sidecar');
  });

  test('holds the libraries of the control plane only where it is one', () => {
    const heavy = packagesIn(bundled.metafile).filter((path) => /\/(@kubernetes|@grpc|@peculiar)\//.test(path));
    expect(heavy.length > 0).toBe(part !== 'sidecar');
  });
});
