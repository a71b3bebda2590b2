// A small HTTP listener for a few fixed pages: metrics, and health for probes. Nothing but GET, nothing that waits.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Listener, listen } from './listen.ts';
import type { Result } from './result.ts';

export interface Page {
  readonly status: number;
  /** Plain text by default. */
  readonly contentType?: string;
  readonly body: string;
}

/** By path. */
export type Pages = Readonly<Record<string, () => Page>>;

/** What probes and scrapers need, many times over. */
const CONNECTIONS_MAX = 256;

/** On every address of this machine; port 0 is any free one. */
export function listenForPages(port: number, pages: Pages): Promise<Result<Listener>> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000, maxHeaderSize: 16 * 1024 });
  server.on('request', (request, response) => answer(request, response, pages));
  return listen(server, { port }, { connectionsMax: CONNECTIONS_MAX });
}

function answer({ method, url = '/' }: IncomingMessage, response: ServerResponse, pages: Pages): void {
  const [path = '/'] = url.split('?', 1);
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (page === undefined) {
    send(response, { status: 404, body: 'there is no such page\n' });
  } else if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    send(response, { status: 405, body: 'only GET and HEAD are served\n' });
  } else {
    send(response, page());
  }
}

/** Node leaves the body of an answer to HEAD out by itself. */
function send(response: ServerResponse, { status, contentType = 'text/plain; charset=utf-8', body }: Page): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }).end(body);
}
