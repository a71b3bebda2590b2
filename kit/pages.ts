// A few fixed pages: metrics, and health for probes. Nothing but GET. Who serves them is another matter.
import type { Cancel } from './clock.ts';

export interface Page {
  readonly status: number;
  /** Plain text by default, where there is a body and the headers do not say. */
  readonly contentType?: string;
  /** By names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A page that takes a while: `tell` is called once, now or later, unless nobody waits for it any more. */
export type LatePage = (tell: (page: Page) => void) => Cancel;

/** By path; asked with the query of the URL. */
export type Pages = Readonly<Record<string, (query: URLSearchParams) => Page>>;

/** What probes and scrapers need, many times over. */
export const PAGE_CONNECTIONS_MAX = 256;

/** `url`: path and query, as they came. */
export function pageFor<P extends Page | LatePage>(
  pages: Readonly<Record<string, (query: URLSearchParams) => P>>,
  method: string,
  url: string,
): P | Page {
  const [path = '/', query = ''] = url.split('?', 2);
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (page === undefined)
    return { status: 404, body: `there is no such page; here are ${Object.keys(pages).join(', ')}\n` };
  if (method === 'GET' || method === 'HEAD') return page(new URLSearchParams(query));
  return { status: 405, headers: { allow: 'GET, HEAD' }, body: 'only GET and HEAD are served\n' };
}

const PLAIN_TEXT = 'text/plain; charset=utf-8';

/** All but the length of the body. */
export function pageHeaders({ contentType, headers = {}, body }: Page): Readonly<Record<string, string>> {
  const type = contentType ?? (body === undefined ? undefined : PLAIN_TEXT);
  return type === undefined ? headers : { 'content-type': type, ...headers };
}
