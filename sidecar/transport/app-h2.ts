// Transport of an HTTP call to an app that speaks HTTP/2: one attempt, a stream of its own. The app is told who calls, as over
// HTTP/1.1.
import { type Flow, type ReplyEnd, type RequestEnd, refuse } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { endToEnd, type Headers, headerValue } from '../../api/headers.ts';
import { flawIn } from '../../wire/fields.ts';
import { HEAD_TOO_LARGE } from '../../wire/http2/client.ts';
import type { Fields, RequestHead, ResponseHead, ResponseReceiver, WireFailure } from '../../wire/message.ts';
import type { AppHttp2Pool, AppHttp2Problem } from '../app/http2-pool.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { StreamAttempt } from '../link/stream-attempt.ts';
import { type AppTransportDeps, appFields } from './app.ts';
import { appBroke, appClosing, appHeadTooLarge, noAppPort, noHttp2, unwritable, wrongLength } from './app-faults.ts';

export function openAppH2(call: PermittedCall, reply: ReplyEnd, deps: AppTransportDeps<AppHttp2Pool>): RequestEnd {
  const { pool } = deps;
  if (pool === undefined) return refuse(reply, noAppPort(call));
  const attempt = new AppH2Attempt(call, reply, pool, deps);
  attempt.start();
  return attempt;
}

class AppH2Attempt extends StreamAttempt<AppHttp2Problem, AppHttp2Pool> {
  readonly #call: PermittedCall;
  readonly #deps: AppTransportDeps<AppHttp2Pool>;
  #pushedBytes = 0;
  #wasOpened = false;

  constructor(call: PermittedCall, reply: ReplyEnd, pool: AppHttp2Pool, deps: AppTransportDeps<AppHttp2Pool>) {
    super(reply, pool);
    this.#call = call;
    this.#deps = deps;
  }

  protected override notConnected(problem: AppHttp2Problem): Fault {
    return noHttp2(this.#call, this.source.port, problem, 'HTTP');
  }

  protected override head(): RequestHead {
    const { method, path, query, bodyBytes, neverIndexed } = this.#call;
    return {
      method,
      target: query === '' ? path : `${path}?${query}`,
      authority: this.source.authority,
      scheme: this.source.scheme,
      fields: appFields(this.#call, this.#deps),
      bodyBytes,
      upgrade: undefined,
      expectsContinue: false,
      ...(neverIndexed && { neverIndexed }),
    };
  }

  protected override opened(): void {
    this.#wasOpened = true;
  }

  protected override push(chunk: Buffer): Flow {
    const { bodyBytes } = this.#call;
    this.#pushedBytes += chunk.length;
    if (bodyBytes === undefined || this.#pushedBytes <= bodyBytes) return this.send(chunk);
    this.fail(wrongLength(this.#call));
    return 'ok';
  }

  protected override pushEnd(trailers: Headers): void {
    const { bodyBytes } = this.#call;
    const flaw = flawIn(trailers);
    if (bodyBytes !== undefined && this.#pushedBytes !== bodyBytes) this.fail(wrongLength(this.#call));
    else if (flaw !== undefined) this.fail(unwritable(this.#call, flaw));
  }

  protected override lastFields(trailers: Headers): Headers {
    return trailers;
  }

  protected override answer(): ResponseReceiver {
    return new H2Answer(this, this.reply, this.#call.method === 'HEAD');
  }

  lost(failure: WireFailure): void {
    this.fail(this.#faultOf(failure));
  }

  /** Until the stream is open nothing has left, so that a failure is about the head itself. */
  #faultOf(failure: WireFailure) {
    if (failure === HEAD_TOO_LARGE) return appHeadTooLarge(this.#call);
    if (failure.kind === 'refused') return appClosing(this.#call, failure.reason);
    return this.#wasOpened ? appBroke(this.#call, failure) : unwritable(this.#call, failure.reason);
  }
}

class H2Answer implements ResponseReceiver {
  readonly #attempt: AppH2Attempt;
  readonly #reply: ReplyEnd;
  readonly #isOfHead: boolean;

  constructor(attempt: AppH2Attempt, reply: ReplyEnd, isOfHead: boolean) {
    this.#attempt = attempt;
    this.#reply = reply;
    this.#isOfHead = isOfHead;
  }

  /** For this hop alone. */
  informational(): void {}

  head({ status, fields, bodyBytes, neverIndexed }: ResponseHead): void {
    // The end of the stream says nothing of the body that a GET would have had.
    const isUnsaid = this.#isOfHead && headerValue(fields, 'content-length') === undefined;
    this.#reply.head({
      status,
      headers: endToEnd(fields),
      bodyBytes: isUnsaid ? undefined : bodyBytes,
      ...(neverIndexed && { neverIndexed }),
    });
  }

  data(chunk: Buffer): Flow {
    return this.#reply.data(chunk);
  }

  end(trailers: Fields): void {
    this.#attempt.complete(endToEnd(trailers));
  }

  abort(failure: WireFailure): void {
    this.#attempt.lost(failure);
  }

  resume(): void {
    this.#attempt.mayGoOn();
  }

  cancel(failure: WireFailure): void {
    this.#attempt.lost(failure);
  }
}
