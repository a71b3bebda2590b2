// One CallLocalStream from a peer: its messages become a Call and a pushed body; the reply goes back as messages.
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import {
  closedRequest,
  type Flow,
  type Open,
  type ReplyEnd,
  type ReplyHead,
  type RequestEnd,
} from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import type { Headers } from '../../api/headers.ts';
import type { Identity, Target } from '../../api/ids.ts';
import {
  decodeRequest,
  encodeReply,
  type ReplyHeadMessage,
  type RequestHeadMessage,
  type StreamMessage,
} from '../../api/proto/peer.ts';
import type { Clock } from '../../kit/clock.ts';
import { MessageReader, MessageWriter } from '../link/messages.ts';
import { readPeerCall } from './peer-call.ts';

export interface PeerCallDeps {
  readonly open: Open;
  readonly self: Target;
  /** Proven by the connection's certificate. */
  readonly caller: Identity;
  readonly bodyBytesMax: number;
  readonly clock: Clock;
}

export function servePeerStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, deps: PeerCallDeps): void {
  new PeerExchange(stream, headers, deps);
}

class PeerExchange implements ReplyEnd {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #deps: PeerCallDeps;
  readonly #reader = new MessageReader<RequestHeadMessage>(decodeRequest);
  readonly #writer: MessageWriter<ReplyHeadMessage>;
  #request: RequestEnd = closedRequest;
  #httpTrailers: Headers = [];
  #bodyBytes = 0;
  /** The trailers that end the stream, once it is known how it ends. */
  #ending: Record<string, string> | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, deps: PeerCallDeps) {
    this.#stream = stream;
    this.#headers = headers;
    this.#deps = deps;
    this.#writer = new MessageWriter(encodeReply, (frame) => this.#send(frame));
    stream.on('data', (chunk: Buffer) => this.#received(chunk));
    stream.on('end', () => this.#requestEnded());
    stream.on('drain', () => this.#request.resume());
    stream.on('wantTrailers', () => stream.sendTrailers(this.#ending ?? {}));
    stream.on('close', () => this.#closed());
  }

  // The request.

  #received(chunk: Buffer): void {
    if (this.#ending !== undefined) return;
    const messages = this.#reader.push(chunk);
    if (!messages.ok) {
      this.#refuse(fault('bad-request', `the peer's message cannot be read: ${messages.error}.`));
      return;
    }
    for (const message of messages.value) this.#take(message);
  }

  #take({ head, data, trailers }: StreamMessage<RequestHeadMessage>): void {
    if (this.#ending !== undefined) return;
    if (head !== undefined && !this.#begin(head)) return;
    if (trailers.length > 0) this.#httpTrailers = trailers;
    if (data === undefined || data.length === 0) return;
    this.#bodyBytes += data.length;
    if (this.#bodyBytes > this.#deps.bodyBytesMax) this.#refuse(this.#tooLarge());
    else if (this.#request.data(data) === 'pause') this.#stream.pause();
  }

  /** Whether the call is under way. */
  #begin(head: RequestHeadMessage): boolean {
    const call = readPeerCall(head, this.#headers, this.#deps);
    if (!call.ok) {
      this.#refuse(call.error);
      return false;
    }
    if (call.value.bodyBytes !== undefined && call.value.bodyBytes > this.#deps.bodyBytesMax) {
      this.#refuse(this.#tooLarge());
      return false;
    }
    const request = this.#deps.open(call.value, this);
    if (this.#ending !== undefined) return false;
    this.#request = request;
    return true;
  }

  #requestEnded(): void {
    if (this.#ending !== undefined) return;
    if (this.#request === closedRequest)
      this.#refuse(fault('bad-request', 'the peer ended its stream before it said what it calls.'));
    else if (!this.#reader.isComplete)
      this.#refuse(fault('bad-request', 'the peer ended its stream in the middle of a message.'));
    else this.#request.end(this.#httpTrailers);
  }

  #closed(): void {
    if (this.#ending === undefined) this.#request.cancel(fault('cancelled', 'the caller went away.'));
  }

  #tooLarge(): Fault {
    return fault(
      'body-too-large',
      `the body is larger than ${this.#deps.bodyBytesMax} bytes, which is all that the sidecar of the called app takes; raise its --max-body-size if it should pass.`,
    );
  }

  #refuse(reason: Fault): void {
    this.#request.abort(reason);
    this.abort(reason);
  }

  // The reply.

  head({ status, headers, bodyBytes }: ReplyHead): void {
    const length: Headers = bodyBytes === undefined ? [] : ['content-length', String(bodyBytes)];
    this.#writer.head({ status, headers: [...headers, ...length] });
  }

  data(chunk: Buffer): Flow {
    return this.#writer.data(chunk);
  }

  end(trailers: Headers): void {
    this.#writer.end(trailers);
    this.#finish({ 'grpc-status': '0' });
  }

  abort(reason: Fault): void {
    this.#writer.drop();
    this.#finish(faultTrailers(reason));
  }

  resume(): void {
    this.#stream.resume();
  }

  cancel(_reason: Fault): void {
    this.#request = closedRequest;
    this.#stream.resume();
  }

  #send(frame: Buffer): Flow {
    if (this.#stream.destroyed || this.#ending !== undefined) return 'ok';
    if (!this.#stream.headersSent) {
      this.#stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    }
    return this.#stream.write(frame) ? 'ok' : 'pause';
  }

  #finish(trailers: Record<string, string>): void {
    if (this.#ending !== undefined) return;
    this.#ending = trailers;
    this.#request = closedRequest;
    const stream = this.#stream;
    if (stream.destroyed) return;
    if (stream.headersSent) stream.end();
    else stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
    if (stream.readableEnded) return;
    // The answer came before the end of the request: once it is out, the rest of the upload is turned away.
    stream.resume();
    stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
  }
}
