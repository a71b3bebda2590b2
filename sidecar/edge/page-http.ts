// A port of the sidecar for a few fixed pages, for the kubelet and for Prometheus.
import type { Clock } from '../../kit/clock.ts';
import { type LatePage, PAGE_CONNECTIONS_MAX, type Page, pageFor, pageHeaders } from '../../kit/pages.ts';
import { NOBODY, type RequestHead, type RequestReceiver, type Responder } from '../../wire/message.ts';
import { HttpEdge } from './http-edge.ts';

const IDLE_MS = 5000;
const LIMITS = { headBytesMax: 16 * 1024 };

/** By path. */
export type PagesOfPort = Readonly<Record<string, (query: URLSearchParams) => Page | LatePage>>;

export class PageHttp extends HttpEdge {
  readonly #pages: PagesOfPort;

  constructor(pages: PagesOfPort, clock: Clock) {
    super({ clock, connectionsMax: PAGE_CONNECTIONS_MAX, limits: LIMITS, idleMs: IDLE_MS, unreadMs: IDLE_MS });
    this.#pages = pages;
  }

  protected override serve({ method, target }: RequestHead, responder: Responder): RequestReceiver {
    const page = pageFor(this.#pages, method, target);
    if (typeof page !== 'function') {
      write(page, responder);
      return NOBODY;
    }
    const leave = page((told) => write(told, responder));
    return { ...NOBODY, abort: leave, cancel: leave };
  }
}

function write(page: Page, responder: Responder): void {
  const body = Buffer.from(page.body ?? '');
  responder.head({ status: page.status, fields: Object.entries(pageHeaders(page)).flat(), bodyBytes: body.length });
  responder.data(body);
  responder.end([]);
}
