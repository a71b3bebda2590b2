// A small HTTP listener for a few fixed pages: metrics, and health for probes. Nothing but GET, nothing that waits.
import { createServer, type Server } from 'node:http';
import type { Answer } from '../edge/routes.ts';
import { writeAnswer } from '../edge/routes.ts';

export type Pages = Readonly<Record<string, (query: URLSearchParams) => Answer>>;

export function pageServer(pages: Pages): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000, maxHeaderSize: 16 * 1024 });
  server.on('request', (request, response) => {
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) writeAnswer(response, { status: 404 });
    else if (request.method !== 'GET' && request.method !== 'HEAD')
      writeAnswer(response, { status: 405, headers: { allow: 'GET, HEAD' } });
    else writeAnswer(response, page(new URLSearchParams(query)));
  });
  return server;
}
