// One CallLocal from a peer: the same call with its whole body in one message, and its whole answer in another. Dapr
// sidecars send it where they know no streams; ours never do to each other.
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Flow, ReplyEnd, ReplyHead, RequestEnd } from '../../api/exchange.ts';
import { closedRequest } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers } from '../../api/grpc-status.ts';
import type { Headers } from '../../api/headers.ts';
import { decodeUnaryRequest, encodeUnaryReply } from '../../api/proto/peer.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frame.ts';
import { frameErrorText } from '../link/messages.ts';
import { readPeerCall } from './peer-call.ts';
import type { PeerCallDeps } from './peer-stream.ts';

/** An answer in one message has to be held whole; what is larger belongs in a stream. */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;
/** Head and framing come on top of the body. */
const HEAD_BYTES_MAX = 128 * 1024;

export function servePeerUnary(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, deps: PeerCallDeps): void {
  const reply = new UnaryReply(stream);
  const frames = new FrameReader(Math.min(deps.bodyBytesMax + HEAD_BYTES_MAX, 2 ** 32));
  const messages: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => {
    const read = frames.push(chunk);
    if (read.ok) messages.push(...read.value);
    else if (read.error === 'too-large')
      reply.abort(fault('body-too-large', `the body is larger than ${deps.bodyBytesMax} bytes.`));
    else reply.abort(fault('unimplemented', `${frameErrorText(read.error)}.`));
  });
  stream.on('end', () => {
    const [message, ...more] = messages;
    if (message === undefined || more.length > 0 || !frames.isBetweenMessages) {
      reply.abort(fault('bad-request', 'a unary call has exactly one message.'));
      return;
    }
    reply.serve(message, headers, deps);
  });
  stream.on('close', () => reply.cancelled());
}

class UnaryReply implements ReplyEnd {
  readonly #stream: ServerHttp2Stream;
  #request: RequestEnd = closedRequest;
  #head: ReplyHead | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isOver = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  serve(message: Buffer, headers: IncomingHttpHeaders, deps: PeerCallDeps): void {
    if (this.#isOver) return;
    const unary = decodeUnaryRequest(message);
    if (!unary.ok) {
      this.abort(fault('bad-request', `the peer's message cannot be read: ${unary.error}.`));
      return;
    }
    const call = readPeerCall(unary.value.head, headers, deps);
    if (!call.ok) {
      this.abort(call.error);
      return;
    }
    const { body } = unary.value;
    this.#request = deps.open({ ...call.value, bodyBytes: body.length }, this);
    if (body.length > 0) this.#request.data(body);
    this.#request.end([]);
  }

  cancelled(): void {
    if (!this.#isOver) this.#request.cancel(fault('cancelled', 'the caller went away.'));
  }

  head(head: ReplyHead): void {
    this.#head = head;
  }

  data(chunk: Buffer): Flow {
    this.#bytes += chunk.length;
    if (this.#bytes > REPLY_BYTES_MAX) {
      const reason = fault('body-too-large', 'the answer is too large for a unary call; the caller has to stream it.');
      this.#request.cancel(reason);
      this.abort(reason);
    } else {
      this.#chunks.push(chunk);
    }
    return 'ok';
  }

  end(_trailers: Headers): void {
    if (this.#isOver || this.#stream.destroyed || this.#head === undefined) return;
    this.#isOver = true;
    const message = encodeUnaryReply(this.#head, Buffer.concat(this.#chunks));
    this.#stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    this.#stream.on('wantTrailers', () => this.#stream.sendTrailers({ 'grpc-status': '0' }));
    this.#stream.end(frameMessage(message));
  }

  abort(reason: Fault): void {
    if (this.#isOver || this.#stream.destroyed) return;
    this.#isOver = true;
    this.#chunks = [];
    this.#stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', ...faultTrailers(reason) },
      { endStream: true },
    );
  }

  resume(): void {}

  cancel(_reason: Fault): void {}
}
