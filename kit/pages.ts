// A small HTTP server for a few fixed pages: metrics, and health for probes. Nothing but GET, nothing that waits.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Listener, listen } from './listen.ts';
import type { Result } from './result.ts';

export interface Page {
  readonly status: number;
  /** Plain text by default, where there is a body and the headers do not say. */
  readonly contentType?: string;
  /** By names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** By path; asked with the query of the URL. */
export type Pages = Readonly<Record<string, (query: URLSearchParams) => Page>>;

/** What probes and scrapers need, many times over. */
const CONNECTIONS_MAX = 256;

/** On one address, or on every address of this machine; port 0 is any free one. */
export function listenForPages(port: number, pages: Pages, host?: string): Promise<Result<Listener>> {
  const where = host === undefined ? { port } : { port, host };
  return listen(pageServer(pages), where, { connectionsMax: CONNECTIONS_MAX });
}

/** For somebody else to bind. */
export function pageServer(pages: Pages): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000, maxHeaderSize: 16 * 1024 });
  return server.on('request', (request, response) => writePage(response, pageFor(request, pages)));
}

function pageFor({ method, url = '/' }: IncomingMessage, pages: Pages): Page {
  const [path = '/', query = ''] = url.split('?', 2);
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (page === undefined) return { status: 404, body: 'there is no such page\n' };
  if (method === 'GET' || method === 'HEAD') return page(new URLSearchParams(query));
  return { status: 405, headers: { allow: 'GET, HEAD' }, body: 'only GET and HEAD are served\n' };
}

const PLAIN_TEXT = 'text/plain; charset=utf-8';

/** All but the length of the body. */
export function pageHeaders({ contentType, headers = {}, body }: Page): Readonly<Record<string, string>> {
  const type = contentType ?? (body === undefined ? undefined : PLAIN_TEXT);
  return type === undefined ? headers : { 'content-type': type, ...headers };
}

/** Node leaves the body of an answer to HEAD out by itself. */
function writePage(response: ServerResponse, page: Page): void {
  const bytes = page.body === undefined ? undefined : Buffer.from(page.body);
  const length = bytes === undefined ? {} : { 'content-length': bytes.length };
  response.writeHead(page.status, { ...pageHeaders(page), ...length });
  response.end(bytes);
}
