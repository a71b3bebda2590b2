// The resources of a sidecar on a laptop: the same YAML that a cluster takes, from folders.
//
// A policy that silently does nothing is worse than none: whatever of ours this version cannot enforce stops the start.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { type ResourceDocument, readDocuments } from './documents.ts';
import { type LoadedEndpoint, readEndpoint } from './endpoints.ts';

export interface LoadedResources {
  /** Whose sidecar may use which, their scopes say. No two of a name. */
  readonly endpoints: readonly LoadedEndpoint[];
  /** One sentence for each resource that was read and left alone. */
  readonly ignored: readonly string[];
}

const OUR_GROUP = 'invoke.io';
/** Known kinds that this version does not enforce. */
const NOT_ENFORCED = ['AccessPolicy', 'Resiliency', 'NamespacePolicy'];
/** Of ours, and of Dapr's. */
const ENDPOINT = 'HTTPEndpoint';
const DAPR_GROUP = 'dapr.io';

/** Reads every `*.yaml` and `*.yml` in the folders; or all that is wrong with them, one sentence each. */
export async function loadResources(
  directories: readonly string[],
): Promise<Result<LoadedResources, readonly string[]>> {
  const found: Found = { problems: [], ignored: [], endpoints: new Map() };
  const { problems, ignored, endpoints } = found;
  for (const directory of directories) {
    const paths = await yamlFiles(directory);
    if (!paths.ok) problems.push(paths.error);
    else for (const path of paths.value) await readFileInto(path, found);
  }
  return problems.length > 0 ? err(problems) : ok({ ignored, endpoints: [...endpoints.values()] });
}

async function yamlFiles(directory: string): Promise<Result<readonly string[]>> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.ya?ml$/.test(name)).sort();
    return ok(names.map((name) => join(directory, name)));
  } catch (error) {
    return err(`--resources-path "${directory}" cannot be read: ${reasonOf(error)}; give a folder of YAML files`);
  }
}

interface Found {
  readonly problems: string[];
  readonly ignored: string[];
  /** By name. */
  readonly endpoints: Map<string, LoadedEndpoint>;
}

async function readFileInto(path: string, found: Found): Promise<void> {
  const { problems, ignored } = found;
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
    if (isEndpoint(document)) problems.push(...(await addEndpoint(document, place, found)));
    else if (document.group === OUR_GROUP) problems.push(`${place}: ${refusal(document)}`);
    else ignored.push(`${place}: ${document.kind} "${document.name}" is not one of ours (${OUR_GROUP}); it is ignored`);
  }
}

function isEndpoint({ group, kind }: ResourceDocument): boolean {
  return kind === ENDPOINT && (group === OUR_GROUP || group === DAPR_GROUP);
}

/** What is wrong with it, if anything is. */
async function addEndpoint(
  document: ResourceDocument,
  place: string,
  { endpoints }: Found,
): Promise<readonly string[]> {
  const read = await readEndpoint(document, document.group === DAPR_GROUP);
  if (!read.ok) return read.error.map((reason) => `${place}: ${ENDPOINT} "${document.name}": ${reason}`);
  if (endpoints.has(document.name))
    return [`${place}: there is another ${ENDPOINT} "${document.name}"; name it otherwise`];
  endpoints.set(document.name, read.value);
  return [];
}

function refusal({ kind, name }: ResourceDocument): string {
  if (NOT_ENFORCED.includes(kind)) return `${kind} "${name}" is not enforced by this version; remove it`;
  return `"${kind}" is not a kind of ${OUR_GROUP}; there are ${[...NOT_ENFORCED, ENDPOINT].join(', ')}`;
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
