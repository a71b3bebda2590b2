// For tests: the watches that are open on an API server, and ways to hurt them.
import type { ServerResponse } from 'node:http';
import type { Change, Objects, StoredObject } from './objects.ts';
import type { Matches } from './selectors.ts';

export interface WatchedKind {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly matches: Matches;
  readonly wantsBookmarks: boolean;
  /** Of the kind, for bookmarks. */
  readonly apiVersion: string;
}

export interface Watches {
  /** Answers with the changes since a version, and from then on with each as it happens. */
  open(response: ServerResponse, kind: WatchedKind, fromVersion: number, timeoutMs: number): void;
  /** The connections break. */
  drop(): void;
  /** They end in good order, as they do at their timeout. */
  end(): void;
  /** They stay open and say nothing any more. */
  stall(): void;
  bookmark(): void;
  count(resource?: string): number;
}

interface OpenWatch {
  readonly kind: WatchedKind;
  readonly response: ServerResponse;
  isStalled: boolean;
}

export function createWatches(objects: Objects): Watches {
  const watches = new Set<OpenWatch>();
  const each = (act: (watch: OpenWatch) => void) => {
    for (const watch of [...watches]) act(watch);
  };
  const deliver = ({ kind, response, isStalled }: OpenWatch, change: Change) => {
    const event = isStalled ? undefined : eventFor(kind, change);
    if (event) write(response, event.type, event.object);
  };
  objects.changed((change) => each((watch) => deliver(watch, change)));

  return {
    open(response, kind, fromVersion, timeoutMs) {
      const watch = { kind, response, isStalled: false };
      const timeout = setTimeout(() => response.end(), timeoutMs).unref();
      response.on('close', () => {
        clearTimeout(timeout);
        watches.delete(watch);
      });
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      const missed = objects.since(fromVersion);
      if (!missed) {
        write(response, 'ERROR', expired(fromVersion));
        response.end();
        return;
      }
      watches.add(watch);
      for (const change of missed) deliver(watch, change);
    },
    drop: () => each(({ response }) => response.destroy()),
    end: () => each(({ response }) => response.end()),
    stall: () =>
      each((watch) => {
        watch.isStalled = true;
      }),
    bookmark: () =>
      each(({ kind, response, isStalled }) => {
        if (isStalled || !kind.wantsBookmarks) return;
        const metadata = { resourceVersion: `${objects.version()}`, creationTimestamp: null };
        write(response, 'BOOKMARK', { apiVersion: kind.apiVersion, kind: 'Bookmark', metadata });
      }),
    count: (resource) => [...watches].filter(({ kind }) => resource === undefined || kind.resource === resource).length,
  };
}

export function expired(version: number): object {
  const message = `too old resource version: ${version}`;
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason: 'Expired', code: 410 };
}

function write(response: ServerResponse, type: string, object: object): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

/** An object that begins or ceases to match is added or deleted to whoever watches by that. */
function eventFor(
  kind: WatchedKind,
  { resource, now, before }: Change,
): { type: string; object: StoredObject } | undefined {
  const isMine = (object: StoredObject | undefined) =>
    object !== undefined &&
    resource === kind.resource &&
    (kind.namespace === undefined || kind.namespace === object.metadata.namespace) &&
    kind.matches(object);
  const [was, is] = [isMine(before), isMine(now)];
  if (now && is) return { type: was ? 'MODIFIED' : 'ADDED', object: now };
  if (!before || !was) return undefined;
  const resourceVersion = (now ?? before).metadata.resourceVersion;
  return { type: 'DELETED', object: { ...before, metadata: { ...before.metadata, resourceVersion } } };
}
