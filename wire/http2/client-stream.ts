// A request that went out, and what its caller hears of the response.
import type { DecodedBlock } from '../hpack/block.ts';
import type { Fields, Requester, RequestHead, ResponseReceiver, WireFailure } from '../message.ts';
import { readResponse, readTrailers } from './heads.ts';
import { ErrorCode, exceeded, type Fault, malformed } from './protocol.ts';
import { NO_FIELDS, Stream, type StreamHost } from './stream.ts';

/** Informational responses of one request; there are as many as a server likes otherwise. */
const INFORMATIONAL_MAX = 32;

export class ClientStream extends Stream implements Requester {
  protected override readonly receiver: ResponseReceiver;
  readonly #method: string;
  #informational = 0;
  #hasEnded = false;

  constructor(id: number, sendWindow: number, host: StreamHost, request: RequestHead, receiver: ResponseReceiver) {
    super(id, sendWindow, host);
    this.receiver = receiver;
    this.#method = request.method;
  }

  override end(trailers: Fields): void {
    super.end(this.#method === 'CONNECT' ? NO_FIELDS : trailers);
  }

  override abort(_failure: WireFailure): void {
    this.#giveUp();
  }

  override cancel(_failure: WireFailure): void {
    this.#giveUp();
  }

  /** HEADERS: an informational head, the head, or the trailers. */
  receiveHeaders(block: DecodedBlock, isEnded: boolean): Fault | undefined {
    if (this.expectsData) return this.#receiveTrailers(block, isEnded);
    const read = readResponse(block, isEnded);
    if (!read.ok) return malformed(read.error);
    const head = read.value;
    if (head.status < 200) {
      if (isEnded) return malformed('an informational response at the end');
      this.#informational += 1;
      if (this.#informational > INFORMATIONAL_MAX) return exceeded('informational-responses');
      this.receiver.informational(head.status, head.fields);
      return undefined;
    }
    this.expectBody(this.#bodyBytes(head.status, head.bodyBytes));
    this.receiver.head(head);
    return isEnded ? this.receiveEnd(NO_FIELDS) : undefined;
  }

  protected override isOwnerDone(): boolean {
    return this.#hasEnded;
  }

  /** The answer is complete: nobody needs the rest of the request (E3). */
  protected override onRemoteEnd(): void {
    this.#hasEnded = true;
    if (this.state !== 'half-closed-remote') return;
    this.host.writeReset(this.id, ErrorCode.CANCEL);
    this.close();
  }

  protected override onLocalEnd(): void {}

  #receiveTrailers(block: DecodedBlock, isEnded: boolean): Fault | undefined {
    if (!isEnded) return malformed('a second head');
    const trailers = readTrailers(block);
    return trailers.ok ? this.receiveEnd(trailers.value) : malformed(trailers.error);
  }

  #bodyBytes(status: number, declared: number | undefined): number | undefined {
    if (this.#method === 'HEAD' || status === 204 || status === 304) return 0;
    return this.#method === 'CONNECT' && status < 300 ? undefined : declared;
  }

  #giveUp(): void {
    this.reset(ErrorCode.CANCEL);
    this.hearNoMore();
  }
}
