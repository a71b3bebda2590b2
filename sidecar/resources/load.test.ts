// Resource files: what stops the start, what is only mentioned, and where each was found.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadResources } from './load.ts';

/** What is said about a folder of files, without the folder's own path. */
async function load(files: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), 'resources-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const loaded = await loadResources([directory]);
  const said = loaded.ok ? loaded.value.ignored : loaded.error;
  return { ok: loaded.ok, said: said.map((line) => line.replace(`${directory}/`, '')) };
}

const component = 'apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: store\n';

test('an empty folder, an empty file and files of other kinds are fine', async () => {
  expect(await load({})).toEqual({ ok: true, said: [] });
  expect(await load({ 'a.yaml': '', 'b.yml': '# nothing\n---\n', 'c.txt': 'kind: [' })).toEqual({ ok: true, said: [] });
});

test("others' resources are ignored, with a line for each", async () => {
  expect(await load({ 'a.yaml': `${component}---\n# another\n${component}` })).toEqual({
    ok: true,
    said: [
      'a.yaml:1: Component "store" is not one of ours (invoke.io); it is ignored',
      'a.yaml:7: Component "store" is not one of ours (invoke.io); it is ignored',
    ],
  });
});

test.each(['AccessPolicy', 'Resiliency', 'NamespacePolicy'])(
  '%s stops the start: it would not be enforced',
  async (kind) => {
    const text = `${component}---\napiVersion: invoke.io/v1alpha1\nkind: ${kind}\nmetadata: { name: mine }\n`;
    expect(await load({ 'a.yaml': text })).toEqual({
      ok: false,
      said: [`a.yaml:6: ${kind} "mine" is not enforced by this version; remove it`],
    });
  },
);

test('a kind that we do not have is an error that names those we have', async () => {
  const text = 'apiVersion: invoke.io/v1alpha1\nkind: AcessPolicy\nmetadata: { name: mine }\n';
  expect((await load({ 'a.yaml': text })).said).toEqual([
    'a.yaml:1: "AcessPolicy" is not a kind of invoke.io; there are AccessPolicy, Resiliency, NamespacePolicy',
  ]);
});

test('everything that is wrong is said at once, with file and line', async () => {
  const { ok, said } = await load({
    'a.yaml': 'a: 1\nb: [\n',
    'b.yml': '\n\nkind: 7\n---\n- a list\n',
    'c.yaml': 'a: 1\na: 2\n',
  });
  expect(ok).toBe(false);
  expect(said).toEqual([
    expect.stringMatching(/^a\.yaml:3: it is not YAML: /),
    'b.yml:3: it has no apiVersion, such as invoke.io/v1alpha1',
    'b.yml:3: its kind is not a text, such as AccessPolicy',
    'b.yml:3: it has no metadata.name, which names the resource',
    'b.yml:5: it has no apiVersion, such as invoke.io/v1alpha1',
    'b.yml:5: it has no kind, such as AccessPolicy',
    'b.yml:5: it has no metadata.name, which names the resource',
    expect.stringMatching(/^c\.yaml:2: it is not YAML: duplicated mapping key/),
  ]);
});

test('a folder that is not there and a folder in place of a file are reasons', async () => {
  const missing = await loadResources(['/nowhere/at/all']);
  expect(missing).toEqual({
    ok: false,
    error: [expect.stringContaining('"/nowhere/at/all" cannot be read: it does not exist')],
  });
  const directory = mkdtempSync(join(tmpdir(), 'resources-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'a.yaml'));
  expect(await loadResources([directory])).toEqual({
    ok: false,
    error: [expect.stringContaining('a.yaml: cannot be read: it is a folder')],
  });
});
