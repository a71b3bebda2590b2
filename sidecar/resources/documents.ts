// YAML text to the Kubernetes-style objects in it, each with the line where it starts.
import { constructFromEvents, EVENT_ID, type Event, parseEvents, YAMLException } from 'js-yaml';
import { GROUP, VERSION } from '../../api/pod.ts';
import { messageOf } from '../../kit/errors.ts';
import { err, ok, type Result } from '../../kit/result.ts';
import { excerpt } from '../../kit/text.ts';

export interface ResourceDocument {
  /** 1 is the first line of the file. */
  readonly line: number;
  /** Such as `invoke.io` in `invoke.io/v1alpha1`; empty for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** The whole object, as it was written. */
  readonly content: unknown;
}

export interface Flaw {
  readonly line: number;
  readonly reason: string;
}

/** No file of ours has use for aliases by the thousand, which can make a small file a huge object. */
const ALIASES_MAX = 100;

/** All documents of a file, or all that is wrong with it. Empty documents are none. */
export function readDocuments(text: string): Result<readonly ResourceDocument[], readonly Flaw[]> {
  const parsed = parse(text);
  if (!parsed.ok) return err([parsed.error]);
  const read = parsed.value.filter(({ content }) => content !== null && content !== undefined).map(readDocument);
  const flaws = read.flatMap((result) => (result.ok ? [] : result.error));
  return flaws.length > 0 ? err(flaws) : ok(read.flatMap((result) => (result.ok ? [result.value] : [])));
}

interface Parsed {
  readonly line: number;
  readonly content: unknown;
}

function parse(text: string): Result<readonly Parsed[], Flaw> {
  try {
    const events = parseEvents(text, {});
    const contents = constructFromEvents(events, { source: text, maxAliases: ALIASES_MAX });
    const lines = documentLines(text, events);
    return ok(contents.map((content, i) => ({ content, line: lines[i] ?? 1 })));
  } catch (error) {
    if (error instanceof YAMLException) return err(flawIn(error));
    return err({ line: 1, reason: `it is not YAML: ${messageOf(error)}` });
  }
}

/** What the library says of text that is no YAML. */
export function flawIn({ mark, reason }: YAMLException): Flaw {
  return { line: (mark?.line ?? 0) + 1, reason: `it is not YAML: ${reason}` };
}

/** The line of each document's first node. */
function documentLines(text: string, events: readonly Event[]): number[] {
  return events.flatMap((event, i) => {
    if (event.type !== EVENT_ID.DOCUMENT) return [];
    const first = events[i + 1];
    let offset = 0;
    if (first !== undefined && 'start' in first) offset = first.start;
    else if (first !== undefined && 'valueStart' in first) offset = first.valueStart;
    return [text.slice(0, offset).split('\n').length];
  });
}

function readDocument({ line, content }: Parsed): Result<ResourceDocument, readonly Flaw[]> {
  const { apiVersion, kind, metadata } = fieldsOf(content);
  const { name } = fieldsOf(metadata);
  const flaws = [
    ...missing(apiVersion, 'apiVersion', 'such as invoke.io/v1alpha1'),
    ...missing(kind, 'kind', 'such as AccessPolicy'),
    ...missing(name, 'metadata.name', 'which names the resource'),
  ].map((reason) => ({ line, reason }));
  if (flaws.length > 0) return err(flaws);
  const [first = '', second] = String(apiVersion).split('/');
  const group = second === undefined ? '' : first;
  if (group === GROUP && second !== VERSION) {
    const reason = `there is no apiVersion "${excerpt(String(apiVersion))}"; write ${GROUP}/${VERSION}`;
    return err([{ line, reason }]);
  }
  return ok({ line, group, kind: String(kind), name: String(name), content });
}

function missing(value: unknown, field: string, hint: string): string[] {
  if (typeof value === 'string' && value !== '') return [];
  return [
    value === undefined || value === null ? `it has no ${field}, ${hint}` : `its ${field} is not a text, ${hint}`,
  ];
}

/** What kubectl takes where an object names no namespace. */
const DEFAULT_NAMESPACE = 'default';

export function namespaceOf(metadata: unknown): Result<string> {
  const { namespace = DEFAULT_NAMESPACE } = fieldsOf(metadata);
  return typeof namespace === 'string' && namespace !== ''
    ? ok(namespace)
    : err('its metadata.namespace is not a text');
}

export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
