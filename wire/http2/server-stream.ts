// A request that came in, and the hand on its response.
import type { Fields, Flow, RequestHead, RequestReceiver, Responder, ResponseHead, WireFailure } from '../message.ts';
import { responsePseudo, withLength, withoutLength } from './heads.ts';
import { codeOf, ErrorCode } from './protocol.ts';
import { NO_FIELDS, Stream, type StreamHost } from './stream.ts';

type Answer = 'none' | 'headed' | 'without-body';

export class ServerStream extends Stream implements Responder {
  readonly #isHead: boolean;
  readonly #isConnect: boolean;
  readonly #isExtendedConnect: boolean;
  #answer: Answer = 'none';

  constructor(id: number, sendWindow: number, host: StreamHost, request: RequestHead) {
    super(id, sendWindow, host);
    this.#isHead = request.method === 'HEAD';
    this.#isConnect = request.method === 'CONNECT';
    this.#isExtendedConnect = request.upgrade !== undefined;
    this.expectBody(this.#isConnect ? undefined : request.bodyBytes);
  }

  get isAnswered(): boolean {
    return this.#answer !== 'none';
  }

  serveWith(receiver: RequestReceiver): void {
    this.receiver = receiver;
  }

  informational(status: number, fields: Fields): void {
    if (!this.maySend() || this.isAnswered) return;
    const flaw = this.host.writeHeaders(this.id, responsePseudo(status), fields, undefined, false);
    if (flaw !== undefined) this.#failBy(flaw);
  }

  head(head: ResponseHead): void {
    if (!this.maySend() || this.isAnswered) return;
    // What HTTP/1.1 says with 101 is a plain 200 here (RFC 8441, 5).
    const status = head.status === 101 && this.#isExtendedConnect ? 200 : head.status;
    const hasNoBody = this.#isHead || status === 204 || status === 304;
    this.#answer = hasNoBody ? 'without-body' : 'headed';
    const bodyBytes = this.#isConnect ? undefined : head.bodyBytes;
    const fields = status === 204 ? withoutLength(head.fields) : withLength(head.fields, bodyBytes);
    const flaw = this.host.writeHeaders(this.id, responsePseudo(status), fields, head.neverIndexed, false);
    if (flaw !== undefined) this.#failBy(flaw);
  }

  override data(chunk: Buffer): Flow {
    return this.#answer === 'headed' ? super.data(chunk) : 'ok';
  }

  override end(trailers: Fields): void {
    // The rest of the request is thrown away from here on (E3).
    if (this.state === 'open') this.hearNoMore();
    super.end(this.#isConnect ? NO_FIELDS : trailers);
  }

  override abort(failure: WireFailure): void {
    this.reset(failure.kind === 'reset' || failure.kind === 'closed' ? ErrorCode.INTERNAL_ERROR : codeOf(failure));
  }

  /** The stream has no way to say so: what comes is thrown away, and its window stays shut. */
  override cancel(_failure: WireFailure): void {
    this.hearNoMore();
  }

  protected override isOwnerDone(): boolean {
    return this.trailers !== undefined;
  }

  protected override onRemoteEnd(): void {}

  /** The response is complete: a client that still sends may stop (RFC 9113, 8.1). */
  protected override onLocalEnd(): void {
    if (this.state === 'half-closed-local') this.reset(ErrorCode.NO_ERROR);
  }

  #failBy(reason: string): void {
    const { receiver } = this;
    this.reset(ErrorCode.INTERNAL_ERROR);
    receiver.cancel({ kind: 'malformed', reason });
  }
}
