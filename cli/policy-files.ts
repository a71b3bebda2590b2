// Policies out of YAML files and folders of them, as they would be applied to a cluster.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GROUP } from '../api/pod.ts';
import { RESOURCE_KINDS } from '../api/resources/crd.ts';
import { whyUnreadable } from '../kit/errors.ts';
import { err, type Result } from '../kit/result.ts';
import { type ResourceDocument, readDocuments } from '../sidecar/resources/documents.ts';
import { joined, type Policies, readPolicy } from './policy-sources.ts';

/** Or all that is wrong with them, a sentence each. What is no AccessPolicy and no NamespacePolicy is left aside. */
export async function readPolicyFiles(
  paths: readonly string[],
  cwd: string,
): Promise<Result<Policies, readonly string[]>> {
  const problems: string[] = [];
  const found: Partial<Policies>[] = [];
  for (const path of paths) {
    const files = await filesOf(resolve(cwd, path));
    if (!files.ok) problems.push(files.error);
    else for (const file of files.value) await readInto(file, found, problems);
  }
  if (problems.length > 0) return err(problems);
  const all = joined(found);
  return all.ok ? all : err([all.error]);
}

/** The file itself, or the *.yaml and *.yml of a folder; not of the folders in it. */
async function filesOf(path: string): Promise<Result<readonly string[]>> {
  try {
    if (!(await stat(path)).isDirectory()) return { ok: true, value: [path] };
    const names = (await readdir(path)).filter((name) => /\.ya?ml$/.test(name)).sort();
    return { ok: true, value: names.map((name) => join(path, name)) };
  } catch (error) {
    return err(`${path} cannot be read: ${whyUnreadable(error)}`);
  }
}

async function readInto(path: string, found: Partial<Policies>[], problems: string[]): Promise<void> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    problems.push(`${path} cannot be read: ${whyUnreadable(error)}`);
    return;
  }
  const documents = readDocuments(text);
  if (!documents.ok) {
    problems.push(...documents.error.map(({ line, reason }) => `${path}:${line}: ${reason}`));
    return;
  }
  for (const document of documents.value) {
    problems.push(...addDocument(document, `${path}:${document.line}`, found));
  }
}

/** What is wrong with it, if anything is. */
export function addDocument(document: ResourceDocument, place: string, found: Partial<Policies>[]): readonly string[] {
  const { group, kind, name } = document;
  if (group !== GROUP) return [];
  if (!KINDS.includes(kind)) return [`${place}: "${kind}" is not a kind of ${GROUP}; there are ${KINDS.join(', ')}`];
  const read = readPolicy(document);
  if (!read.ok) return read.error.map((mistake) => `${place}: ${kind} "${name}": ${mistake}`);
  if (read.value !== undefined) found.push(read.value);
  return [];
}

const KINDS: readonly string[] = RESOURCE_KINDS.map(({ kind }) => kind);
