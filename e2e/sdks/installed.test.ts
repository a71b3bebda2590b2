// What docs/sdks.md says was tried is what the tests install.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SDKS } from './installed.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const page = read('docs/sdks.md');
const versionIn = (path: string, pattern: RegExp) => pattern.exec(read(path))?.[1] ?? 'no version';

test('the versions of the SDKs', () => {
  const versions = SDKS.flatMap((sdk) => sdk.packages).map((name) => name.slice(name.search(/(?<==|.@)[\d.]+$/)));
  const told = [...page.matchAll(/^\| \w+, \[.*\) \| ([\d.]+) \|/gm)].map(([, version]) => version);
  expect(told).toEqual(versions);
});

test('the versions of grpcurl and grpc-go', () => {
  expect(page).toContain(`) ${versionIn('scripts/interop-tools.ts', /grpcurl@v([\d.]+)/)},`);
  expect(page).toContain(`grpc-go ${versionIn('e2e/grpc-go/go.mod', /google\.golang\.org\/grpc v([\d.]+)/)},`);
});
