// The resources of a sidecar on a laptop: the same YAML that a cluster takes, from folders.
//
// A policy that silently does nothing is worse than none: whatever of ours cannot be read stops the start.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GROUP } from '../../api/pod.ts';
import { whyUnreadable } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import type { PlacedPolicy } from '../../policy/access/rule.ts';
import type { PlacedResiliency } from '../../policy/resiliency/settle.ts';
import { type ResourceDocument, readDocuments } from './documents.ts';
import { type LoadedEndpoint, readEndpoint } from './endpoints.ts';
import {
  type LoadedFence,
  type LoadedPolicies,
  readAccessPolicyDocument,
  readNamespacePolicyDocument,
} from './policies.ts';
import { conflictsAmong, type LoadedResiliency, readResiliencyDocument } from './resiliencies.ts';

export interface LoadedResources extends LoadedPolicies {
  /** Whose sidecar may use which, their scopes say. No two of a name. */
  readonly endpoints: readonly LoadedEndpoint[];
  /** No two of them contradict one another. */
  readonly resiliencies: readonly PlacedResiliency[];
  /** One sentence for each resource that was read and left alone. */
  readonly ignored: readonly string[];
}

const ACCESS_POLICY = 'AccessPolicy';
const NAMESPACE_POLICY = 'NamespacePolicy';
/** Of ours, and of Dapr's. */
const RESILIENCY = 'Resiliency';
const ENDPOINT = 'HTTPEndpoint';
const DAPR_GROUP = 'dapr.io';

/** Reads every `*.yaml` and `*.yml` in the folders; or all that is wrong with them, one sentence each. */
export async function loadResources(
  directories: readonly string[],
): Promise<Result<LoadedResources, readonly string[]>> {
  const found: Found = {
    problems: [],
    ignored: [],
    endpoints: new Map(),
    policies: new Map(),
    fences: new Map(),
    resiliencies: new Map(),
  };
  const { problems, ignored, endpoints, policies, fences } = found;
  for (const directory of directories) {
    const paths = await yamlFiles(directory);
    if (!paths.ok) problems.push(paths.error);
    else for (const path of paths.value) await readFileInto(path, found);
  }
  const resiliencies = [...found.resiliencies.values()].map(({ object }) => object);
  if (problems.length === 0) problems.push(...conflictsAmong(resiliencies));
  if (problems.length > 0) return err(problems);
  return ok({
    ignored,
    resiliencies,
    endpoints: [...endpoints.values()],
    policies: [...policies.values()],
    fences: [...fences.values()],
  });
}

async function yamlFiles(directory: string): Promise<Result<readonly string[]>> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.ya?ml$/.test(name)).sort();
    return ok(names.map((name) => join(directory, name)));
  } catch (error) {
    return err(`--resources-path "${directory}" cannot be read: ${whyUnreadable(error)}; give a folder of YAML files`);
  }
}

interface Found {
  readonly problems: string[];
  readonly ignored: string[];
  /** By name. */
  readonly endpoints: Map<string, LoadedEndpoint>;
  /** By namespace and name. */
  readonly policies: Map<string, PlacedPolicy>;
  /** By namespace. */
  readonly fences: Map<string, LoadedFence>;
  /** By namespace and name. */
  readonly resiliencies: Map<string, LoadedResiliency>;
}

async function readFileInto(path: string, found: Found): Promise<void> {
  const { problems, ignored } = found;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    problems.push(`${path}: cannot be read: ${whyUnreadable(error)}`);
    return;
  }
  const documents = readDocuments(text);
  if (!documents.ok) {
    problems.push(...documents.error.map(({ line, reason }) => `${path}:${line}: ${reason}`));
    return;
  }
  for (const document of documents.value) {
    const place = `${path}:${document.line}`;
    if (isOfBoth(document) || document.group === GROUP) {
      problems.push(...(await add(document, found)).map((reason) => `${place}: ${reason}`));
    } else ignored.push(`${place}: ${document.kind} "${document.name}" is not one of ours (${GROUP}); it is ignored`);
  }
}

function isOfBoth({ group, kind }: ResourceDocument): boolean {
  return (kind === ENDPOINT || kind === RESILIENCY) && (group === GROUP || group === DAPR_GROUP);
}

/** What is wrong with it, if anything is. */
async function add(document: ResourceDocument, found: Found): Promise<readonly string[]> {
  const { endpoints, policies, fences } = found;
  const { kind, name, group } = document;
  if (kind === RESILIENCY) return addResiliency(document, found);
  if (kind === ENDPOINT) {
    return keep(document, await readEndpoint(document, group === DAPR_GROUP), endpoints, () => name);
  }
  if (kind === ACCESS_POLICY) {
    const nameOf = ({ namespace }: PlacedPolicy) => `${namespace}/${name}`;
    return keep(document, await readAccessPolicyDocument(document), policies, nameOf);
  }
  if (kind === NAMESPACE_POLICY) return keep(document, await readNamespacePolicyDocument(document), fences, () => name);
  const kinds = [ACCESS_POLICY, RESILIENCY, NAMESPACE_POLICY, ENDPOINT];
  return [`"${kind}" is not a kind of ${GROUP}; there are ${kinds.join(', ')}`];
}

async function addResiliency(document: ResourceDocument, { resiliencies, ignored }: Found): Promise<readonly string[]> {
  const read = await readResiliencyDocument(document, document.group === DAPR_GROUP, resiliencies.size);
  if (read.ok) ignored.push(...read.value.ignored.map((reason) => `Resiliency "${document.name}": ${reason}`));
  return keep(document, read, resiliencies, ({ object }) => `${object.namespace}/${object.name}`);
}

function keep<T>(
  { kind, name }: ResourceDocument,
  read: Result<T, readonly string[]>,
  kept: Map<string, T>,
  nameOf: (value: T) => string,
): readonly string[] {
  if (!read.ok) return read.error.map((reason) => `${kind} "${name}": ${reason}`);
  const key = nameOf(read.value);
  if (kept.has(key)) return [`there is another ${kind} "${key}"; name it otherwise`];
  kept.set(key, read.value);
  return [];
}
