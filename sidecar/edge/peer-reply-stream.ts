// The stream on which a peer is answered, a call or a tunnel: messages, and the gRPC status that ends it.
import type { Flow } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { Responder, ResponseHead } from '../../wire/message.ts';
import type { FrameSink } from '../link/messages.ts';

/** What the reply asks of the request that it answers. */
export interface AnsweredRequest {
  refuse(reason: Fault): void;
  ended(): void;
}

export abstract class PeerReplyStream implements FrameSink {
  protected readonly responder: Responder;
  readonly #request: AnsweredRequest;
  protected state: 'none' | 'headed' | 'ended' = 'none';

  constructor(responder: Responder, request: AnsweredRequest) {
    this.responder = responder;
    this.#request = request;
  }

  resume(): void {
    this.responder.resume();
  }

  send(bytes: Buffer): Flow {
    if (this.state === 'ended') return 'ok';
    if (this.state === 'none') this.responder.head(GRPC_RESPONSE);
    this.state = 'headed';
    return this.responder.data(bytes);
  }

  protected finish(trailers: Headers): void {
    if (this.state === 'headed') {
      this.responder.end(trailers);
    } else {
      this.responder.head({ ...GRPC_RESPONSE, fields: [...GRPC_RESPONSE.fields, ...trailers] });
      this.responder.end([]);
    }
    this.state = 'ended';
    this.#request.ended();
  }
}

const GRPC_RESPONSE: ResponseHead = {
  status: 200,
  fields: ['content-type', 'application/grpc'],
  bodyBytes: undefined,
};
export const OK_TRAILERS: Headers = ['grpc-status', '0'];
export const NOT_WANTED = { kind: 'reset', reason: 'the rest of the request is not wanted' } as const;
