// A small HTTP server for fixed pages, in the control plane; a sidecar has its own (sidecar/edge/page-http.ts).
import { createServer, type ServerResponse } from 'node:http';
import { type Listener, listen } from './listen.ts';
import { PAGE_CONNECTIONS_MAX, type Page, type Pages, pageFor, pageHeaders } from './pages.ts';
import type { Result } from './result.ts';

/** On one address, or on every address of this machine; port 0 is any free one. */
export function listenForPages(port: number, pages: Pages, host?: string): Promise<Result<Listener>> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000, maxHeaderSize: 16 * 1024 });
  server.on('request', ({ method = 'GET', url = '/' }, response) => writePage(response, pageFor(pages, method, url)));
  return listen(server, host === undefined ? { port } : { port, host }, { connectionsMax: PAGE_CONNECTIONS_MAX });
}

/** Node leaves the body of an answer to HEAD out by itself. */
function writePage(response: ServerResponse, page: Page): void {
  const bytes = page.body === undefined ? undefined : Buffer.from(page.body);
  const length = bytes === undefined ? {} : { 'content-length': bytes.length };
  response.writeHead(page.status, { ...pageHeaders(page), ...length });
  response.end(bytes);
}
