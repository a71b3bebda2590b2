// A tunnel on the app API: a request that asks for another protocol, and the bytes both ways once the app has agreed. An app
// that does not agree has its answer passed on as any other.
import type { TunnelCall } from '../../api/call.ts';
import { type Flow, type Open, type ReplyEnd, type ReplyHead, type RequestEnd, SWITCHING } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { type Headers, NO_HEADERS } from '../../api/headers.ts';
import type { RequestReceiver, WireFailure } from '../../wire/message.ts';
import { faultOfRequest } from './malformed.ts';

export function serveTunnel(call: TunnelCall, reply: ReplyEnd, open: Open): RequestReceiver {
  return new TunnelRequest(open(call, new TunnelReply(call.protocol, reply)));
}

/** What the client says once the tunnel stands; before that the connection holds it back. */
class TunnelRequest implements RequestReceiver {
  readonly #call: RequestEnd;

  constructor(call: RequestEnd) {
    this.#call = call;
  }

  data(chunk: Buffer): Flow {
    return this.#call.data(chunk);
  }

  end(): void {
    this.#call.end(NO_HEADERS);
  }

  abort(failure: WireFailure): void {
    this.#call.abort(faultOfRequest(failure));
  }

  resume(): void {
    this.#call.resume();
  }

  cancel(failure: WireFailure): void {
    this.#call.cancel(faultOfRequest(failure));
  }
}

class TunnelReply implements ReplyEnd {
  readonly #protocol: string;
  readonly #reply: ReplyEnd;

  constructor(protocol: string, reply: ReplyEnd) {
    this.#protocol = protocol;
    this.#reply = reply;
  }

  /** `upgrade` is said anew on each hop, and in no other answer. */
  head(head: ReplyHead): void {
    if (head.status !== SWITCHING) this.#reply.head(head);
    else this.#reply.head({ ...head, headers: [...head.headers, 'upgrade', this.#protocol] });
  }

  data(chunk: Buffer): Flow {
    return this.#reply.data(chunk);
  }

  end(trailers: Headers): void {
    this.#reply.end(trailers);
  }

  abort(reason: Fault): void {
    this.#reply.abort(reason);
  }

  resume(): void {
    this.#reply.resume();
  }

  /** Nothing is left of the tunnel (E6). */
  cancel(reason: Fault): void {
    this.#reply.abort(reason);
  }
}
