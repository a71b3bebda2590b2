// A port of the sidecar for a few fixed pages, for the kubelet and for Prometheus.
import type { Clock } from '../../kit/clock.ts';
import { PAGE_CONNECTIONS_MAX, type Pages, pageFor, pageHeaders } from '../../kit/pages.ts';
import { NOBODY, type RequestHead, type RequestReceiver, type Responder } from '../../wire/message.ts';
import { HttpEdge } from './http-edge.ts';

const IDLE_MS = 5000;
const LIMITS = { headBytesMax: 16 * 1024 };

export class PageHttp extends HttpEdge {
  readonly #pages: Pages;

  constructor(pages: Pages, clock: Clock) {
    super({ clock, connectionsMax: PAGE_CONNECTIONS_MAX, limits: LIMITS, idleMs: IDLE_MS, unreadMs: IDLE_MS });
    this.#pages = pages;
  }

  protected override serve({ method, target }: RequestHead, responder: Responder): RequestReceiver {
    const page = pageFor(this.#pages, method, target);
    const body = Buffer.from(page.body ?? '');
    responder.head({ status: page.status, fields: Object.entries(pageHeaders(page)).flat(), bodyBytes: body.length });
    responder.data(body);
    responder.end([]);
    return NOBODY;
  }
}
