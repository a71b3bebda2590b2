// What a browser wants to hear before it lets a web page have an answer (CORS, https://fetch.spec.whatwg.org). Which pages may
// call is the guard's to say; one that may is told so here, and no more than that: its browser adds no cookies.
import { type Headers, headerValue, headerValues } from '../../api/headers.ts';
import { isKnownVerb } from '../../api/verb.ts';
import type { Fields, Flow, RequestHead, Responder, ResponseHead, WireFailure } from '../../wire/message.ts';

/** How long a browser may remember what a preflight said. The guard looks at each request all the same. */
const PREFLIGHT_SEC = 600;
const ANY = '*';

/** Where the request is of a page that may call: a hand on its response that says so. Programs have no such page. */
export function pageResponder(
  responder: Responder,
  said: Headers,
  allowedOrigins: readonly string[],
): PageResponder | undefined {
  if (allowedOrigins.length === 0 || said.length === 0) return undefined;
  const [origin, another] = headerValues(said, 'origin');
  if (origin === undefined || another !== undefined) return undefined;
  if (allowedOrigins.includes(ANY)) return new PageResponder(responder, ANY);
  return allowedOrigins.includes(origin) ? new PageResponder(responder, origin) : undefined;
}

/** Asked by a browser by itself, before a request such as a page could not make by a form. */
export function isPreflight({ method, fields }: RequestHead): boolean {
  return method === 'OPTIONS' && headerValue(fields, 'access-control-request-method') !== undefined;
}

export class PageResponder implements Responder {
  readonly #responder: Responder;
  readonly #origin: string;

  constructor(responder: Responder, origin: string) {
    this.#responder = responder;
    this.#origin = origin;
  }

  /** A page that may call may ask for anything that is HTTP. */
  answerPreflight({ fields }: RequestHead): void {
    const method = headerValue(fields, 'access-control-request-method') ?? '';
    const names = headerValues(fields, 'access-control-request-headers');
    const answer = [...this.#fields(), 'access-control-max-age', String(PREFLIGHT_SEC)];
    if (isKnownVerb(method)) answer.push('access-control-allow-methods', method);
    if (names.length > 0) answer.push('access-control-allow-headers', names.join(', '));
    answer.push('vary', 'access-control-request-method, access-control-request-headers');
    this.#responder.head({ status: 204, fields: answer, bodyBytes: undefined });
    this.#responder.end([]);
  }

  /**
   * What the called app says of CORS is about pages that come to the app itself; of this origin it knows nothing. Beside ours it
   * would make two answers of one, which browsers take for a refusal.
   */
  head(head: ResponseHead): void {
    const fields: string[] = [];
    for (let i = 0; i < head.fields.length; i += 2) {
      const name = head.fields[i] ?? '';
      if (!name.startsWith('access-control-')) fields.push(name, head.fields[i + 1] ?? '');
    }
    fields.push(...this.#fields(), 'access-control-expose-headers', ANY);
    this.#responder.head({ ...head, fields });
  }

  #fields(): Fields {
    const allowed = ['access-control-allow-origin', this.#origin];
    return this.#origin === ANY ? allowed : [...allowed, 'vary', 'origin'];
  }

  // The rest is as it was.

  informational(status: number, fields: Fields): void {
    this.#responder.informational(status, fields);
  }

  data(chunk: Buffer): Flow {
    return this.#responder.data(chunk);
  }

  end(trailers: Fields): void {
    this.#responder.end(trailers);
  }

  abort(failure: WireFailure): void {
    this.#responder.abort(failure);
  }

  resume(): void {
    this.#responder.resume();
  }

  cancel(failure: WireFailure): void {
    this.#responder.cancel(failure);
  }
}
