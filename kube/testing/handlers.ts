// For tests: what an API server does with each verb but watch.
import { type AppliedStatuses, appliedStatuses } from './applied-status.ts';
import { jsonPatch, merge, type PatchOperation } from './json-patch.ts';
import { apiVersionOf, keyIn, resourceOf } from './names.ts';
import type { Objects, StoredObject } from './objects.ts';
import type { ApiServerRequest } from './requests.ts';
import { selection } from './selectors.ts';
import { expired } from './watches.ts';

export interface Answer {
  readonly status: number;
  /** A text is sent as it is. */
  readonly body: object | string;
}

/** Answers a `create` of a kind that is a question, such as a TokenReview, and keeps nothing. */
export type Review = (object: unknown) => object;

type Draft = Record<string, unknown> & { readonly metadata: Record<string, unknown> };

export interface Handlers {
  handle(request: ApiServerRequest): Answer;
  readonly reviews: Map<string, Review>;
  /** What pods serve through the proxy of the API server, by `namespace/name:port/path`. */
  readonly podPages: Map<string, string>;
  /** Lists that go on in pages are cut from a version that is gone now. */
  forgetPages(): void;
}

export function createHandlers(objects: Objects): Handlers {
  const reviews = new Map<string, Review>();
  const podPages = new Map<string, string>();
  const pages = new Map<string, readonly StoredObject[]>();
  const statuses = appliedStatuses();
  return {
    reviews,
    podPages,
    forgetPages: () => pages.clear(),
    handle(request) {
      switch (request.verb) {
        case 'get':
          if (request.subresource === 'proxy') return podPage(podPages, request);
          return withExisting(objects, request, (body) => ({ status: 200, body }));
        case 'list':
        case 'watch':
          return list(objects, pages, request);
        case 'create':
          return reviews.has(request.plural) ? review(reviews, request) : create(objects, request);
        case 'replace':
          return withExisting(objects, request, (before) => save(objects, request, before, draftOf(request.body)));
        case 'patch':
          return withExisting(objects, request, (before) => patch(objects, request, before));
        case 'apply':
          return apply(objects, statuses, request);
        case 'delete':
          return withExisting(objects, request, (before) => remove(objects, request, before));
      }
    },
  };
}

export function refusal(code: number, reason: string, message: string): Answer {
  return { status: code, body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code } };
}

function withExisting(objects: Objects, request: ApiServerRequest, act: (before: StoredObject) => Answer): Answer {
  const before = objects.get(resourceOf(request), keyIn(request));
  return before ? act(before) : notFound(request);
}

function podPage(podPages: Map<string, string>, request: ApiServerRequest): Answer {
  const page = podPages.get(`${keyIn(request)}/${request.rest}`);
  if (page !== undefined) return { status: 200, body: page };
  return refusal(503, 'ServiceUnavailable', `error trying to reach service: connection refused`);
}

function notFound({ plural, name }: ApiServerRequest): Answer {
  return refusal(404, 'NotFound', `${plural} "${name}" not found`);
}

function list(objects: Objects, pages: Map<string, readonly StoredObject[]>, request: ApiServerRequest): Answer {
  const { query, namespace } = request;
  const token = query.get('continue') ?? '';
  const limit = Number(query.get('limit') ?? 0);
  const matches = selection(query);
  const isIn = ({ metadata }: StoredObject) => namespace === undefined || metadata.namespace === namespace;
  const found =
    token === '' ? objects.all(resourceOf(request)).filter((item) => isIn(item) && matches(item)) : pages.get(token);
  if (!found) return { status: 410, body: expired(Number(token.split('/')[0])) };
  pages.delete(token);
  const page = limit > 0 ? found.slice(0, limit) : found;
  const version = token === '' ? `${objects.version()}` : token.split('/')[0];
  const more = found.slice(page.length);
  const next = more.length > 0 ? `${version}/${page.at(-1)?.metadata.uid}` : undefined;
  if (next !== undefined) pages.set(next, more);
  // Lists of built-in kinds leave out what every item has in common.
  const items = isCustom(request) ? page : page.map(({ apiVersion: _, kind: __, ...item }) => item);
  const metadata = { resourceVersion: version, ...(next !== undefined && { continue: next }) };
  return { status: 200, body: { kind: 'List', apiVersion: apiVersionOf(request), metadata, items } };
}

function create(objects: Objects, request: ApiServerRequest): Answer {
  const { status: _, ...draft } = draftOf(request.body);
  const { generateName, name = `${generateName}${objects.version().toString(36).padStart(5, '0')}` } = draft.metadata;
  const named = { ...request, name: String(name) };
  if (objects.get(resourceOf(request), keyIn(named)))
    return refusal(409, 'AlreadyExists', `${request.plural} "${name}" already exists`);
  if (draft.metadata.resourceVersion)
    return refusal(400, 'BadRequest', 'resourceVersion should not be set on objects to be created');
  return { status: 201, body: write(objects, named, draft) };
}

function review(reviews: Map<string, Review>, { plural, body }: ApiServerRequest): Answer {
  return { status: 201, body: reviews.get(plural)?.(body) ?? {} };
}

function patch(objects: Objects, request: ApiServerRequest, before: StoredObject): Answer {
  try {
    return save(objects, request, before, draftOf(jsonPatch(before, request.body as PatchOperation[])));
  } catch (error) {
    return refusal(422, 'Invalid', `the server rejected our request due to an error in our request: ${error}`);
  }
}

function apply(objects: Objects, statuses: AppliedStatuses, request: ApiServerRequest): Answer {
  const manager = request.query.get('fieldManager');
  if (!manager) return refusal(400, 'BadRequest', 'fieldManager is required for apply patch');
  const draft = draftOf(request.body);
  if (draft.metadata.name !== request.name) return refusal(400, 'BadRequest', 'name must match the path');
  if (draft.metadata.managedFields) return refusal(400, 'BadRequest', 'metadata.managedFields must be nil');
  const before = objects.get(resourceOf(request), keyIn(request));
  if (before && request.subresource === 'status') {
    // Who is behind has said nothing.
    const isCurrent = [undefined, before.metadata.resourceVersion].includes(draft.metadata.resourceVersion as string);
    const status = isCurrent ? statuses.apply(before.metadata.uid, manager, before.status, draft.status) : undefined;
    return save(objects, request, before, { ...draft, status });
  }
  if (before) return save(objects, request, before, draftOf(merge(before, draft)));
  if (request.subresource !== undefined) return notFound(request);
  const { status: _, ...rest } = draft;
  return { status: 201, body: write(objects, request, rest) };
}

/** What replaces an object: the status by its subresource alone, everything else by any other way. */
function save(objects: Objects, request: ApiServerRequest, before: StoredObject, draft: Draft): Answer {
  const { uid, resourceVersion } = draft.metadata;
  const differs = (field: unknown, is: string) => field !== undefined && field !== '' && field !== is;
  if (differs(uid, before.metadata.uid) || differs(resourceVersion, before.metadata.resourceVersion)) {
    const message = `Operation cannot be fulfilled on ${request.plural} "${request.name}": the object has been modified; please apply your changes to the latest version and try again`;
    return refusal(409, 'Conflict', message);
  }
  const { status: given, ...rest } = draft;
  const status = request.subresource === 'status' ? given : before.status;
  const others = request.subresource === 'status' ? withoutStatus(before) : rest;
  return { status: 200, body: write(objects, request, { ...others, ...(status !== undefined && { status }) }) };
}

function remove(objects: Objects, request: ApiServerRequest, before: StoredObject): Answer {
  const { body } = request;
  const preconditions = isRecord(body) && isRecord(body.preconditions) ? body.preconditions : {};
  if (preconditions.uid !== undefined && preconditions.uid !== before.metadata.uid) {
    const message = `Operation cannot be fulfilled on ${request.plural} "${request.name}": the UID in the precondition (${preconditions.uid}) does not match the UID in record (${before.metadata.uid}). The object might have been deleted and then recreated`;
    return refusal(409, 'Conflict', message);
  }
  objects.remove(resourceOf(request), keyIn(request));
  return { status: 200, body: { kind: 'Status', apiVersion: 'v1', status: 'Success' } };
}

function write(objects: Objects, request: ApiServerRequest, object: Record<string, unknown>): StoredObject {
  const { name, namespace } = request;
  const metadata = {
    ...(isRecord(object.metadata) && object.metadata),
    name,
    ...(namespace !== undefined && { namespace }),
  };
  const kind = typeof object.kind === 'string' ? object.kind : request.plural;
  return objects.write(resourceOf(request), keyIn(request), {
    ...object,
    apiVersion: apiVersionOf(request),
    kind,
    metadata,
  });
}

function isCustom({ group }: ApiServerRequest): boolean {
  return group.includes('.') && !group.endsWith('.k8s.io');
}

function withoutStatus({ status: _, ...rest }: StoredObject): Record<string, unknown> {
  return rest;
}

function draftOf(body: unknown): Draft {
  if (!isRecord(body)) throw new Error('the body is not an object');
  return { ...body, metadata: isRecord(body.metadata) ? body.metadata : {} };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
