// The resources of a sidecar on a laptop: the same YAML that a cluster takes, from folders.
//
// A policy that silently does nothing is worse than none: whatever of ours this version cannot enforce stops the start.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type ResourceDocument, readDocuments } from './documents.ts';

export interface LoadedResources {
  /** One sentence for each resource that was read and left alone. */
  readonly ignored: readonly string[];
}

const OUR_GROUP = 'invoke.io';
/** Known kinds that this version does not enforce. */
const NOT_ENFORCED = ['AccessPolicy', 'Resiliency', 'NamespacePolicy'];

/** Reads every `*.yaml` and `*.yml` in the folders; or all that is wrong with them, one sentence each. */
export async function loadResources(
  directories: readonly string[],
): Promise<Result<LoadedResources, readonly string[]>> {
  const problems: string[] = [];
  const ignored: string[] = [];
  for (const directory of directories) {
    const paths = await yamlFiles(directory);
    if (!paths.ok) problems.push(paths.error);
    else for (const path of paths.value) await readFileInto(path, problems, ignored);
  }
  return problems.length > 0 ? err(problems) : ok({ ignored });
}

async function yamlFiles(directory: string): Promise<Result<readonly string[]>> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.ya?ml$/.test(name)).sort();
    return ok(names.map((name) => join(directory, name)));
  } catch (error) {
    return err(`--resources-path "${directory}" cannot be read: ${reasonOf(error)}; give a folder of YAML files`);
  }
}

async function readFileInto(path: string, problems: string[], ignored: string[]): Promise<void> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    problems.push(`${path}: cannot be read: ${reasonOf(error)}`);
    return;
  }
  const documents = readDocuments(text);
  if (!documents.ok) {
    problems.push(...documents.error.map(({ line, reason }) => `${path}:${line}: ${reason}`));
    return;
  }
  for (const document of documents.value) {
    const place = `${path}:${document.line}`;
    if (document.group === OUR_GROUP) problems.push(`${place}: ${refusal(document)}`);
    else ignored.push(`${place}: ${document.kind} "${document.name}" is not one of ours (${OUR_GROUP}); it is ignored`);
  }
}

function refusal({ kind, name }: ResourceDocument): string {
  if (NOT_ENFORCED.includes(kind)) return `${kind} "${name}" is not enforced by this version; remove it`;
  return `"${kind}" is not a kind of ${OUR_GROUP}; there are ${NOT_ENFORCED.join(', ')}`;
}

function reasonOf(error: unknown): string {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'it does not exist',
    ENOTDIR: 'it is not a folder',
    EISDIR: 'it is a folder',
    EACCES: 'permission denied',
  };
  return words[codeOf(error) ?? ''] ?? messageOf(error);
}
