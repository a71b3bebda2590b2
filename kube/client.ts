// The Kubernetes API over HTTP. Failures are values; apart from one wait that the server asks for, nothing is tried again
// here: who asks knows whether it still matters.
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { ok, type Result } from '../kit/result.ts';
import { type Exchange, exchanging, REQUEST_TIMEOUT_MS } from './exchange.ts';
import type { Answered, Kube, Listed, ListOptions, PodPort } from './kube.ts';
import { type ApiRequest, type KubeCredentials, openTransport, type Transport } from './transport.ts';
import { type Kind, type KubernetesObject, PODS } from './types.ts';
import { watchStream } from './watch-stream.ts';
import { type Address, nameOf, pathOf, received, selectorsOf, sent } from './wire.ts';

export interface KubeOptions {
  readonly kubeConfig: KubeCredentials;
  /** Under what name our fields are owned (server-side apply); the user agent, too. */
  readonly fieldManager: string;
  readonly clock: Clock;
  readonly log: Log;
}

const PAGE_SIZE = 500;

const JSON_TYPE = 'application/json';
const APPLY_TYPE = 'application/apply-patch+yaml';
const JSON_PATCH_TYPE = 'application/json-patch+json';

export function openKube(options: KubeOptions): Result<Kube> {
  const transport = openTransport(options.kubeConfig, options.fieldManager);
  return transport.ok ? ok(createKube(options, transport.value)) : transport;
}

function createKube({ fieldManager, clock, log }: KubeOptions, transport: Transport): Kube {
  const exchange = exchanging(transport, clock, log);
  const owned = ownedBy(fieldManager);
  const at = <T extends KubernetesObject>(kind: Kind<T>, verb: string, address: Address, ask: Ask): Answered<T> =>
    one(exchange, kind, `${verb} ${nameOf(kind, address)}`, {
      ...ask,
      path: pathOf(kind, address) + (ask.query ?? ''),
    });

  return {
    get: (kind, name, namespace) => at(kind, 'get', { name, namespace }, { method: 'GET' }),
    list: (kind, options = {}) => listAll(exchange, kind, options),
    create: (kind, object) => {
      const { name = object.metadata?.generateName, namespace } = addressOf(object);
      const path = pathOf(kind, { namespace }) + owned;
      const body = { type: JSON_TYPE, text: sent(kind, object) };
      return one(exchange, kind, `create ${nameOf(kind, { name, namespace })}`, { method: 'POST', path, body });
    },
    replace: (kind, object) => {
      const body = { type: JSON_TYPE, text: sent(kind, object) };
      return at(kind, 'replace', addressOf(object), { method: 'PUT', query: owned, body });
    },
    apply: (kind, object, subresource, part) => {
      const body = { type: APPLY_TYPE, text: sent(kind, subresource === 'status' ? statusAlone(object) : object) };
      const query = `${part === undefined ? owned : ownedBy(`${fieldManager}-${part}`)}&force=true`;
      return at(kind, 'apply', { ...addressOf(object), subresource }, { method: 'PATCH', query, body });
    },
    patch: (kind, name, namespace, patch) => {
      const body = { type: JSON_PATCH_TYPE, text: JSON.stringify(patch) };
      return at(kind, 'patch', { name, namespace }, { method: 'PATCH', query: owned, body });
    },
    delete: (kind, object) => remove(exchange, kind, object),
    podPage: (pod, path) => podPage(exchange, pod, path),
    watch: (kind, request, event, ended) =>
      watchStream({ transport, clock, connectTimeoutMs: REQUEST_TIMEOUT_MS }, kind, request, event, ended),
  };
}

function ownedBy(fieldManager: string): string {
  return `?${new URLSearchParams({ fieldManager })}`;
}

type Ask = Pick<ApiRequest, 'method' | 'body'> & { readonly query?: string };

async function one<T extends KubernetesObject>(
  exchange: Exchange,
  kind: Kind<T>,
  asked: string,
  request: ApiRequest,
): Answered<T> {
  const answer = await exchange(asked, request);
  return answer.ok ? ok(received(kind, answer.value as T)) : answer;
}

/** Only what the status subresource takes, so that a spec which we read a while ago claims nothing. */
function statusAlone(object: KubernetesObject): KubernetesObject {
  const status = 'status' in object ? object.status : {};
  const resourceVersion = object.metadata?.resourceVersion;
  return {
    metadata: { ...addressOf(object), ...(resourceVersion !== undefined && { resourceVersion }) },
    ...{ status },
  };
}

function addressOf({ metadata }: KubernetesObject): { readonly name?: string; readonly namespace?: string } {
  const { name, namespace } = metadata ?? {};
  return { ...(name !== undefined && { name }), ...(namespace !== undefined && { namespace }) };
}

interface Page<T> {
  readonly items?: readonly T[] | null;
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

async function listAll<T extends KubernetesObject>(
  exchange: Exchange,
  kind: Kind<T>,
  options: ListOptions,
): Answered<Listed<T>> {
  const listed = await listPages(exchange, kind, options, PAGE_SIZE);
  if (listed.ok || listed.error.kind !== 'expired') return listed;
  // The versions that the pages were cut from are gone: the list took too long. One answer cannot be overtaken.
  return listPages(exchange, kind, options, 0);
}

async function listPages<T extends KubernetesObject>(
  exchange: Exchange,
  kind: Kind<T>,
  options: ListOptions,
  limit: number,
): Answered<Listed<T>> {
  const asked = `list ${nameOf(kind, { namespace: options.namespace })}`;
  const items: T[] = [];
  for (let next = ''; ; ) {
    const query = new URLSearchParams({ ...selectorsOf(options), ...(limit > 0 && { limit: `${limit}` }) });
    if (next !== '') query.set('continue', next);
    const answer = await exchange(asked, { method: 'GET', path: `${pathOf(kind, options)}?${query}` });
    if (!answer.ok) return answer;
    const { items: page, metadata } = answer.value as Page<T>;
    for (const item of page ?? []) items.push(received(kind, item));
    next = metadata?.continue ?? '';
    if (next === '') return ok({ items, resourceVersion: metadata?.resourceVersion ?? '' });
  }
}

async function podPage(exchange: Exchange, { namespace, name, port }: PodPort, path: string): Answered<string> {
  const address = { namespace, name: `${name}:${port}`, subresource: 'proxy' };
  const asked = `read ${path} of the pod ${namespace}/${name} at port ${port}`;
  const answer = await exchange(asked, { method: 'GET', path: pathOf(PODS, address) + path });
  if (!answer.ok) return answer;
  return ok(typeof answer.value === 'string' ? answer.value : JSON.stringify(answer.value));
}

async function remove(exchange: Exchange, kind: Kind<KubernetesObject>, object: KubernetesObject): Answered<void> {
  const address = addressOf(object);
  const uid = object.metadata?.uid;
  const options = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' };
  const text = JSON.stringify({ ...options, ...(uid !== undefined && { preconditions: { uid } }) });
  const answer = await exchange(`delete ${nameOf(kind, address)}`, {
    method: 'DELETE',
    path: pathOf(kind, address),
    body: { type: JSON_TYPE, text },
  });
  if (answer.ok || answer.error.kind === 'not-found') return ok(undefined);
  // A conflict over the only precondition: what has that name now is another object.
  return answer.error.kind === 'conflict' && uid !== undefined ? ok(undefined) : answer;
}
