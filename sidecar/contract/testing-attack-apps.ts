// For tests of attacks: one app that takes each request for what six servers would take it for, from the strictest to the most
// careless, and counts for each how often somebody got to its administration.
import type { RequestListener } from 'node:http';
import { posix } from 'node:path';
import express from 'express';

/** The path that a server routes by. It may throw, as decodeURIComponent does: such a server answers 400. */
type Router = (target: string) => string;

const untilQuery = (target: string) => target.replace(/[?#].*/s, '');
const withoutParameters = (path: string) => path.replace(/;[^/]*/g, '');
const merged = (path: string) => posix.normalize(`/${path}`);

function decodedLeniently(path: string): string {
  const runs = /(?:%[0-9A-Fa-f]{2})+/g;
  return path.replace(runs, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}

/** What the most careless of all takes a target for. */
export function takesForAnything(target: string): string {
  const path = decodedLeniently(decodedLeniently(target)).replaceAll('\\', '/');
  return merged(withoutParameters(untilQuery(path))).toLowerCase();
}

const ROUTERS = {
  strict: untilQuery,
  decodesFirst: (target) => new URL(`http://app${merged(decodeURIComponent(target))}`).pathname,
  decodesTwice: (target) => merged(untilQuery(decodeURIComponent(decodeURIComponent(target)))),
  cutsParameters: (target) => merged(decodeURIComponent(withoutParameters(untilQuery(target)))),
  takesAnything: takesForAnything,
} satisfies Record<string, Router>;

export type Server = keyof typeof ROUTERS | 'express';

export class AttackedApp {
  /** Who got to its administration, and by which target. */
  readonly hits: { readonly server: Server; readonly target: string }[] = [];
  /** How many requests came at all. */
  requests = 0;

  readonly #express = express()
    .use('/admin', ({ originalUrl }, response) => {
      this.hits.push({ server: 'express', target: originalUrl });
      response.status(204).end();
    })
    .use((_request, response) => void response.status(204).end());

  readonly listener: RequestListener = (request, response) => {
    this.requests++;
    const target = request.url ?? '';
    for (const server of serversTaking(target)) this.hits.push({ server, target });
    this.#express(request, response);
  };

  reset(): void {
    this.requests = 0;
    this.hits.length = 0;
  }
}

const SERVERS = ['strict', 'decodesFirst', 'decodesTwice', 'cutsParameters', 'takesAnything'] as const;
export const ALL_SERVERS: readonly Server[] = ['express', ...SERVERS];

/** Express, which has to be asked by a request, left out. */
export function serversTaking(target: string): readonly Server[] {
  return SERVERS.filter((server) => isAdministration(ROUTERS[server], target));
}

function isAdministration(route: Router, target: string): boolean {
  try {
    return /^\/admin(?:\/|$)/.test(route(target));
  } catch {
    return false;
  }
}
