// What an app that speaks gRPC answers to OnInvoke, made a reply of HTTP. It comes in one message, whose content type may stand
// behind the body, and its status comes last of all: so it is gathered.
import type { Flow, GrpcOutcome, ReplyEnd, ReplyHead } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { decodeGrpcMessage, httpStatusOfGrpc, knownGrpcStatus } from '../../api/grpc-status.ts';
import { checkedHeaders, endToEnd, type Headers, headerValue } from '../../api/headers.ts';
import { decodeInvokeResponse } from '../../api/proto/invoke.ts';
import { decodeRpcStatus } from '../../api/proto/rpc-status.ts';
import { FrameReader } from '../../wire/grpc-frame.ts';

export interface WholeReply {
  readonly head: ReplyHead;
  readonly body: Buffer;
  readonly trailers: Headers;
}

/** The call, told how it was answered: the last three end it. */
export interface Invoked {
  /** Takes the weight of what is gathered. False: there is no room for it. */
  hold(bytes: number): boolean;
  /** The app takes more of the request. */
  mayGoOn(): void;
  answered(reply: WholeReply): void;
  failed(reason: Fault): void;
  /** The app's answer cannot be passed on. `why` goes on from the app's name. */
  useless(why: string): void;
}

/** Around the body. */
const ENVELOPE_BYTES_MAX = 64 * 1024;
const OK = 0;
const UNKNOWN = 2;
const UNIMPLEMENTED = 12;

export class InvokeAnswer implements ReplyEnd {
  readonly #call: Invoked;
  readonly #bodyBytesMax: number;
  readonly #frames: FrameReader;
  #head: Headers = [];
  #message: Buffer | undefined;

  constructor(call: Invoked, bodyBytesMax: number) {
    this.#call = call;
    this.#bodyBytesMax = bodyBytesMax;
    this.#frames = new FrameReader(bodyBytesMax + ENVELOPE_BYTES_MAX);
  }

  head({ headers }: ReplyHead): void {
    this.#head = headers;
  }

  data(chunk: Buffer): Flow {
    if (!this.#call.hold(chunk.length)) return 'ok';
    const messages = this.#frames.push(chunk);
    if (!messages.ok) {
      this.#call.useless(
        messages.error === 'compressed'
          ? 'compressed its answer, which was not agreed on'
          : `answered with more than ${this.#bodyBytesMax} bytes, which is all that its sidecar takes; raise --max-body-size there if it should pass`,
      );
      return 'ok';
    }
    const [message, ...more] = messages.value;
    if (more.length > 0 || (message !== undefined && this.#message !== undefined))
      this.#call.useless('answered with more than one message');
    else if (message !== undefined) this.#message = message;
    return 'ok';
  }

  end(trailers: Headers): void {
    const said = headerValue(trailers, 'grpc-status') === undefined ? this.#head : trailers;
    const code = knownGrpcStatus(headerValue(said, 'grpc-status')) ?? UNKNOWN;
    if (code === OK) this.#succeeded(trailers);
    else this.#refused(outcomeOf(code, said), trailers);
  }

  abort(reason: Fault): void {
    this.#call.failed(reason);
  }

  resume(): void {
    this.#call.mayGoOn();
  }

  /** Half a message is of no use to an app. */
  cancel(reason: Fault): void {
    this.#call.failed(reason);
  }

  #succeeded(trailers: Headers): void {
    const message = this.#message === undefined ? undefined : decodeInvokeResponse(this.#message);
    if (message === undefined || !this.#frames.isBetweenMessages) {
      this.#call.useless('said OK without a whole message');
      return;
    }
    if (!message.ok) {
      this.#call.useless(`answered with what is no InvokeResponse: ${message.error}`);
      return;
    }
    const { contentType, dataTypeUrl, body } = message.value;
    const type = checkedHeaders(contentType === '' ? [] : ['content-type', contentType]);
    if (!type.ok) {
      this.#call.useless(`names a content type that is none: ${type.error}`);
      return;
    }
    const headers = [...type.value, ...travelling(this.#head)];
    const head = { status: 200, headers, bodyBytes: body.length, ...(dataTypeUrl !== '' && { dataTypeUrl }) };
    this.#call.answered({ head, body, trailers: travelling(trailers) });
  }

  #refused(grpc: GrpcOutcome, trailers: Headers): void {
    const head = { status: httpStatusOfGrpc(grpc.code), headers: travelling(this.#head), bodyBytes: 0, grpc };
    this.#call.answered({ head, body: Buffer.alloc(0), trailers: travelling(trailers) });
  }
}

/** What an HTTP caller is told of the metadata. */
function travelling(metadata: Headers): Headers {
  const fields = endToEnd(metadata);
  return fields.filter((_, i) => {
    const name = fields[i - (i % 2)] ?? '';
    return name !== 'content-type' && !name.startsWith('grpc-');
  });
}

function outcomeOf(code: number, said: Headers): GrpcOutcome {
  const message = decodeGrpcMessage(headerValue(said, 'grpc-message') ?? '');
  const bytes = Buffer.from(headerValue(said, 'grpc-status-details-bin') ?? '', 'base64');
  const rich = decodeRpcStatus(bytes);
  const details = rich.ok && rich.value.code === code ? rich.value.details : [];
  return {
    code,
    message: code === UNIMPLEMENTED && NO_SUCH_SERVICE.test(message) ? `${message} ${ADVICE}` : message,
    details,
  };
}

/**
 * As the libraries of gRPC say it of a service or a method that nobody has registered (Go and Java name it; Python, C++ and
 * Node say no more). An app that serves OnInvoke, and lacks what was called, has words of its own, and they stay as they are.
 */
const NO_SUCH_SERVICE = /AppCallback|OnInvoke|^Method not found|^$/;
const ADVICE =
  '(An app that speaks gRPC is called over HTTP, and by InvokeService, through the method OnInvoke of dapr.proto.runtime.v1.AppCallback. If it does not serve that, call its own services over gRPC.)';
