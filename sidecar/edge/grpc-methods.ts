// The app API over gRPC beside proxied calls: the methods that the sidecar itself serves. Blocks register them, as they do
// routes over HTTP (routes.ts).
import type { Flow, GrpcOutcome } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { EncodedMessage } from '../../api/proto/peer-encoding.ts';
import { excerpt } from '../../kit/text.ts';

export interface GrpcMethod {
  /** `/package.Service/Method` */
  readonly path: string;
  /** Health is told to whoever asks; everything else wants the API token. */
  readonly isOpenToAll?: boolean;
  /** Of one message to it. */
  readonly messageBytesMax: number;
  /** A call begins. It may be answered at once. */
  open(metadata: Headers, answer: MethodAnswer): MethodReceiver;
  /** The sidecar stops: calls that would never end by themselves are to end. */
  drain?(): void;
}

/** What a method does with a call: it is given the messages in order, then their end, unless the caller goes away. */
export interface MethodReceiver {
  message(bytes: Buffer): void;
  end(): void;
  /** The caller went away, or what it sent ended the call. Not said to a method that has ended its answer. */
  gone(reason: Fault): void;
  /** The answer may go on after a `pause`. */
  resume?(): void;
}

/** A method's hand on its answer. Once the call is over, nothing that is said here does anything. */
export interface MethodAnswer {
  /** What the caller is told before the first message, if anything. */
  head(metadata: Headers): void;
  /** `pause` is advice about memory, as in an exchange: no message is handed on until the caller has read this one. */
  message(bytes: Buffer | EncodedMessage): Flow;
  finish(outcome?: GrpcOutcome, trailers?: Headers): void;
  /** The sidecar's own word. `status`: another than the fault's own. */
  fail(reason: Fault, status?: number): void;
}

export const OK: GrpcOutcome = { code: 0, message: '', details: [] };

/** Values of metadata keys and the like, and what is around them. */
const SMALL_BYTES_MAX = 128 * 1024;

interface UnaryOptions {
  readonly isOpenToAll?: boolean;
  readonly messageBytesMax?: number;
}

/** A method with a small message, which it answers at once. */
export function unaryMethod(
  path: string,
  serve: (message: Buffer, answer: MethodAnswer, metadata: Headers) => void,
  { isOpenToAll = false, messageBytesMax = SMALL_BYTES_MAX }: UnaryOptions = {},
): GrpcMethod {
  return {
    path,
    isOpenToAll,
    messageBytesMax,
    open: (metadata, answer) => new SoleMessage(answer, (message) => serve(message, answer, metadata)),
  };
}

/** The one message of a unary call, once the caller has said that it is all. */
export class SoleMessage implements MethodReceiver {
  readonly #answer: MethodAnswer;
  readonly #take: (message: Buffer) => void;
  #message: Buffer | undefined;

  constructor(answer: MethodAnswer, take: (message: Buffer) => void) {
    this.#answer = answer;
    this.#take = take;
  }

  message(bytes: Buffer): void {
    if (this.#message === undefined) this.#message = bytes;
    else this.#answer.fail(fault('bad-request', 'the method takes one message, and was sent another.'));
  }

  end(): void {
    const message = this.#message;
    if (message === undefined)
      this.#answer.fail(fault('bad-request', 'the method takes one message, and was sent none.'));
    else this.#take(message);
  }

  gone(_reason: Fault): void {}
}

/** One message, and that is all. */
export function answerSole(answer: MethodAnswer, bytes: Buffer): void {
  answer.message(bytes);
  answer.finish();
}

export function unreadableMessage(reason: string): Fault {
  return fault('bad-request', `the message is not what the method takes: ${reason}.`);
}

/** All methods of the port, by path. */
export class GrpcMethods {
  readonly #byPath: ReadonlyMap<string, GrpcMethod>;
  readonly #byService = new Map<string, string[]>();
  /** Their full names. */
  readonly services: readonly string[];

  constructor(methods: readonly GrpcMethod[]) {
    this.#byPath = new Map(methods.map((method) => [method.path, method]));
    for (const { path } of methods) {
      const { service, name } = splitPath(path);
      this.#byService.set(service, [...(this.#byService.get(service) ?? []), name].sort());
    }
    this.services = [...this.#byService.keys()].sort();
  }

  find(path: string): GrpcMethod | undefined {
    return this.#byPath.get(path);
  }

  /** Why a method is not served, of a service that is, or in part. */
  missing(path: string): Fault | undefined {
    const { service, name } = splitPath(path);
    const served = this.#byService.get(service);
    if (served === undefined) return undefined;
    const message = `this sidecar does not serve the method ${excerpt(name)} of ${service}; it serves ${served.join(', ')}.`;
    return fault('unimplemented', message);
  }

  drain(): void {
    for (const method of this.#byPath.values()) method.drain?.();
  }
}

function splitPath(path: string): { readonly service: string; readonly name: string } {
  const slash = path.indexOf('/', 1);
  return slash < 0 ? { service: '', name: '' } : { service: path.slice(1, slash), name: path.slice(slash + 1) };
}
