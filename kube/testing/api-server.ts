// For tests: an API server in this process that speaks HTTP. It keeps any kind of object, and does what it is told to: break,
// refuse, stall, forget. It validates nothing, merges lists of an apply by replacing them (but conditions), and takes a status through its
// subresource alone.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import { type Clock, systemClock } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { must } from '../../kit/result.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { openKube } from '../client.ts';
import type { Kube } from '../kube.ts';
import type { Kind, KubernetesObject } from '../types.ts';
import { received } from '../wire.ts';
import { type Answer, createHandlers, type Handlers, refusal } from './handlers.ts';
import { apiVersionOf, keyIn, resourceOf } from './names.ts';
import { createObjects, type Objects } from './objects.ts';
import { type ApiFault, type ApiServerRequest, isMeant, type RequestFilter, readRequest } from './requests.ts';
import { selection } from './selectors.ts';
import { createWatches, type Watches } from './watches.ts';

export type { ApiFault, ApiServerRequest, RequestFilter } from './requests.ts';

export interface ApiServer extends Pick<Watches, 'bookmark'> {
  /** A client of it. */
  readonly kube: Kube;
  /** What such a client is made of. */
  readonly kubeConfig: KubeConfig;
  readonly url: string;
  /** All of them, in order, the failed ones too. */
  readonly requests: readonly ApiServerRequest[];
  /** Settles with the next such request, before it is answered. */
  requested(filter: RequestFilter): Promise<ApiServerRequest>;

  // What is kept, past all rules: as other clients and controllers would have it.
  object<T extends KubernetesObject>(kind: Kind<T>, name: string, namespace?: string): T | undefined;
  objects<T extends KubernetesObject>(kind: Kind<T>): readonly T[];
  /** Creates or replaces it whole, status included. */
  put<T extends KubernetesObject>(kind: Kind<T>, object: T): T;
  remove(kind: Kind<KubernetesObject>, name: string, namespace?: string): void;
  /** Answers creates of this kind, and keeps nothing: TokenReview. */
  review<T extends KubernetesObject>(kind: Kind<T>, answer: (object: T) => T): void;
  /** What a pod serves: `namespace/name:port/path`. */
  page(address: string, text: string): void;

  // What goes wrong.
  failNext(count: number, fault: ApiFault, filter?: RequestFilter): void;
  /** Such requests wait until they are released. */
  hold(filter?: RequestFilter): () => void;
  /** Every watch breaks, ends in good order, or stays open and silent. */
  dropWatches(): void;
  endWatches(): void;
  stallWatches(): void;
  /** Forgets the changes up to now: who resumes from an older version gets 410. */
  compact(): void;

  watches(kind?: Kind<KubernetesObject>): number;
  /** Settles when this many watches of the kind are open. */
  watching(kind: Kind<KubernetesObject>, count?: number): Promise<void>;
  /** Of clients, the idle ones too. */
  connections(): Promise<number>;
  stop(): Promise<void>;
}

export interface ApiServerOptions {
  /** For creation times alone. */
  readonly clock?: Clock;
  readonly fieldManager?: string;
}

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const clock = options.clock ?? systemClock;
  const objects = createObjects(() => clock.now());
  const watches = createWatches(objects);
  const handlers = createHandlers(objects);
  const troubles = createTroubles();
  const requests: ApiServerRequest[] = [];
  const seen = listeners<ApiServerRequest>();
  const opened = listeners<void>();

  const server = createServer((incoming, response) => {
    const answer = async () => {
      const request = readRequest(incoming, await bodyOf(incoming));
      requests.push(request);
      seen.tell(request);
      if (await troubles.strike(request, response)) return;
      if (request.verb === 'watch') openWatch(watches, request, response);
      else send(response, answerTo(handlers, request));
      opened.tell();
    };
    answer().catch((error) => response.destroy(error));
  });
  // Slow handshakes and idle connections are none of a test's business.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${portOf(server)}`;
  const kubeConfig = kubeConfigOf(url);
  const fieldManager = options.fieldManager ?? 'test';

  return {
    ...{ url, kubeConfig, requests },
    kube: must(openKube({ kubeConfig, fieldManager, clock: systemClock, log: silentLog })),
    requested: (filter) => seen.next((request) => isMeant(filter, request)),
    ...past(objects),
    review: (kind, answer) => void handlers.reviews.set(kind.plural, (object) => answer(object as never)),
    page: (address, text) => void handlers.podPages.set(address, text),
    failNext: troubles.failNext,
    hold: troubles.hold,
    dropWatches: watches.drop,
    endWatches: watches.end,
    stallWatches: watches.stall,
    bookmark: watches.bookmark,
    compact() {
      objects.compact();
      handlers.forgetPages();
    },
    watches: (kind) => watches.count(kind && resourceOf(kind)),
    async watching(kind, count = 1) {
      while (watches.count(resourceOf(kind)) < count) await opened.next(() => true);
    },
    connections: () => promisify(server.getConnections.bind(server))(),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Past = Pick<ApiServer, 'object' | 'objects' | 'put' | 'remove'>;

function past(objects: Objects): Past {
  const read = <T extends KubernetesObject>(kind: Kind<T>, stored: object): T =>
    received(kind, structuredClone(stored) as T);
  return {
    object(kind, name, namespace) {
      const stored = objects.get(resourceOf(kind), keyIn({ name, namespace }));
      return stored && read(kind, stored);
    },
    objects: (kind) => objects.all(resourceOf(kind)).map((stored) => read(kind, stored)),
    put(kind, object) {
      const { name, namespace } = object.metadata ?? {};
      const named = { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { ...object.metadata } };
      return read(kind, objects.write(resourceOf(kind), keyIn({ name, namespace }), named));
    },
    remove: (kind, name, namespace) => objects.remove(resourceOf(kind), keyIn({ name, namespace })),
  };
}

function answerTo(handlers: Handlers, request: ApiServerRequest): Answer {
  try {
    return handlers.handle(request);
  } catch (error) {
    return refusal(400, 'BadRequest', String(error));
  }
}

function openWatch(watches: Watches, request: ApiServerRequest, response: ServerResponse): void {
  const { query, namespace } = request;
  const kind = {
    resource: resourceOf(request),
    namespace,
    matches: selection(query),
    wantsBookmarks: query.get('allowWatchBookmarks') === 'true',
    apiVersion: apiVersionOf(request),
  };
  const timeoutMs = Number(query.get('timeoutSeconds') ?? 1800) * 1000;
  watches.open(response, kind, Number(query.get('resourceVersion') ?? 0), timeoutMs);
}

interface Troubles extends Pick<ApiServer, 'failNext' | 'hold'> {
  /** Settles with `true` when the request is answered that way, or never will be. */
  strike(request: ApiServerRequest, response: ServerResponse): Promise<boolean>;
}

function createTroubles(): Troubles {
  const faults: { left: number; readonly fault: ApiFault; readonly filter: RequestFilter }[] = [];
  const holds = new Set<{ readonly filter: RequestFilter; readonly released: Promise<void> }>();
  return {
    failNext: (left, fault, filter = {}) => void faults.push({ left, fault, filter }),
    hold(filter = {}) {
      const { promise: released, resolve } = Promise.withResolvers<void>();
      const hold = { filter, released };
      holds.add(hold);
      return () => {
        holds.delete(hold);
        resolve();
      };
    },
    async strike(request, response) {
      for (const hold of [...holds]) if (isMeant(hold.filter, request)) await hold.released;
      const due = faults.find(({ left, filter }) => left > 0 && isMeant(filter, request));
      if (!due) return false;
      due.left -= 1;
      if (due.fault === 'reset') response.destroy();
      else if (due.fault !== 'hang') fail(response, due.fault);
      return true;
    },
  };
}

function fail(response: ServerResponse, fault: Extract<ApiFault, object>): void {
  const { status, message = 'told to fail', reason = 'Told', retryAfterSec } = fault;
  if (retryAfterSec !== undefined) response.setHeader('retry-after', `${retryAfterSec}`);
  send(response, refusal(status, reason, message));
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const isText = typeof body === 'string';
  response.writeHead(status, { 'content-type': isText ? 'text/plain' : 'application/json' });
  response.end(isText ? body : JSON.stringify(body));
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function listeners<T>(): { tell(value: T): void; next(isIt: (value: T) => boolean): Promise<T> } {
  const waiting = new Set<(value: T) => void>();
  return {
    tell(value) {
      for (const listener of [...waiting]) listener(value);
    },
    next: (isIt) =>
      new Promise((resolve) => {
        const listener = (value: T) => {
          if (!isIt(value)) return;
          waiting.delete(listener);
          resolve(value);
        };
        waiting.add(listener);
      }),
  };
}

/** Without TLS, which the library takes only where checking certificates is turned off. */
function kubeConfigOf(server: string): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser({ name: 'test', server, skipTLSVerify: true }, { name: 'test' });
  return kubeConfig;
}
