// One call of a method of the sidecar's own: bytes to messages and back. Messages wait while the caller does not read what it is
// answered, so that nobody gets a large answer for many small questions that are sent at once.
import type { Flow, GrpcOutcome } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import { faultTrailers, outcomeTrailers } from '../../api/grpc-status.ts';
import type { Headers } from '../../api/headers.ts';
import type { EncodedMessage } from '../../api/proto/peer-encoding.ts';
import type { HeldBytes } from '../../kit/held-bytes.ts';
import { Hold } from '../../kit/hold.ts';
import type { Log } from '../../kit/log.ts';
import { type FrameError, FrameReader, frameMessage, frameText } from '../../wire/grpc-frame.ts';
import type { RequestHead, RequestReceiver, Responder, WireFailure } from '../../wire/message.ts';
import { callerLeft } from '../link/grpc-serving.ts';
import { type GrpcMethod, type MethodAnswer, type MethodReceiver, OK } from './grpc-methods.ts';

export interface MethodCallDeps {
  readonly held: HeldBytes;
  readonly log: Log;
}

export function serveMethod(
  method: GrpcMethod,
  head: RequestHead,
  responder: Responder,
  deps: MethodCallDeps,
): RequestReceiver {
  const call = new MethodCall(method.messageBytesMax, responder, deps);
  call.open(method, head.fields);
  return call;
}

/** A call that nobody serves, or that is over. */
const NO_RECEIVER: MethodReceiver = { message: () => undefined, end: () => undefined, gone: () => undefined };
const TOO_MUCH_HELD = fault(
  'body-too-large',
  'the calls that are under way on this port hold all the memory that there is for them; call again when some have ended.',
);
const HALF_A_MESSAGE = fault('bad-request', 'the call ended in the middle of a message.');
const ENDED = fault('cancelled', 'the call is over.');
/** What is larger is sent after its front as it is, and not copied. */
const COPY_BYTES_MAX = 2048;

class MethodCall implements RequestReceiver, MethodAnswer {
  readonly #responder: Responder;
  readonly #deps: MethodCallDeps;
  readonly #messageBytesMax: number;
  readonly #frames: FrameReader;
  /** Of a message that is not whole yet. */
  readonly #hold: Hold;
  #receiver: MethodReceiver = NO_RECEIVER;
  /** Whole, and not handed on yet. */
  #waiting: Buffer[] = [];
  #hasAll = false;
  #isHeaded = false;
  #isPaused = false;
  #isOver = false;

  constructor(messageBytesMax: number, responder: Responder, deps: MethodCallDeps) {
    this.#messageBytesMax = messageBytesMax;
    this.#responder = responder;
    this.#deps = deps;
    this.#frames = new FrameReader(messageBytesMax);
    this.#hold = new Hold(deps.held);
  }

  open(method: GrpcMethod, metadata: Headers): void {
    const receiver = method.open(metadata, this);
    if (this.#isOver) receiver.gone(ENDED);
    else this.#receiver = receiver;
  }

  // What the connection says.

  data(chunk: Buffer): Flow {
    if (this.#isOver) return 'ok';
    this.#hold.release();
    const messages = this.#frames.push(chunk);
    if (!this.#hold.take(this.#frames.heldBytes)) {
      this.#frames.letGo();
      this.#refuse(TOO_MUCH_HELD);
    } else if (!messages.ok) {
      this.#refuse(faultOfFrame(messages.error, this.#messageBytesMax));
    } else {
      this.#waiting.push(...messages.value);
      this.#handOn();
    }
    return this.#isPaused && !this.#isOver ? 'pause' : 'ok';
  }

  end(): void {
    if (this.#isOver) return;
    this.#hasAll = true;
    if (this.#frames.isBetweenMessages) this.#handOn();
    else this.#refuse(HALF_A_MESSAGE);
  }

  abort(failure: WireFailure): void {
    this.cancel(failure);
  }

  cancel(failure: WireFailure): void {
    if (this.#isOver) return;
    const receiver = this.#receiver;
    this.#over();
    receiver.gone(callerLeft(failure));
  }

  resume(): void {
    if (this.#isOver || !this.#isPaused) return;
    this.#isPaused = false;
    this.#guarded(() => this.#receiver.resume?.());
    this.#handOn();
    if (!this.#isPaused) this.#responder.resume();
  }

  // What the method says.

  head(metadata: Headers): void {
    if (this.#isOver || this.#isHeaded) return;
    this.#isHeaded = true;
    const fields = ['content-type', 'application/grpc', ...metadata];
    this.#responder.head({ status: 200, fields, bodyBytes: undefined });
  }

  message(message: Buffer | EncodedMessage): Flow {
    if (this.#isOver) return 'ok';
    this.head([]);
    const flow = Buffer.isBuffer(message) ? this.#responder.data(frameMessage(message)) : this.#inParts(message);
    if (flow === 'pause') this.#isPaused = true;
    return flow;
  }

  finish(outcome: GrpcOutcome = OK, trailers: Headers = []): void {
    this.#finish([...trailers, ...outcomeTrailers(outcome)]);
  }

  fail(reason: Fault, status?: number): void {
    this.#finish(faultTrailers(reason, status));
  }

  #inParts({ front, piece }: EncodedMessage): Flow {
    const isApart = piece !== undefined && piece.length > COPY_BYTES_MAX;
    const flow = this.#responder.data(frameText(front, piece, isApart));
    return isApart ? this.#responder.data(piece) : flow;
  }

  #handOn(): void {
    while (!this.#isPaused && !this.#isOver) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      this.#guarded(() => this.#receiver.message(message));
    }
    if (!this.#hasAll || this.#isPaused || this.#isOver) return;
    this.#hasAll = false;
    this.#guarded(() => this.#receiver.end());
  }

  /** A bug that one call finds is that call's misfortune, and a line in the log. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      const stack = error instanceof Error ? error.stack : '';
      this.#deps.log.error('a bug in the app API', { reason: String(error), stack });
      this.#refuse(fault('internal', 'this sidecar has a bug that this call found; its log says more.'));
    }
  }

  /** Ends the call from here: the caller is told, and the method. */
  #refuse(reason: Fault): void {
    const receiver = this.#receiver;
    this.fail(reason);
    receiver.gone(reason);
  }

  /** Trailers come last; a call that had nothing to say before has them in its head. */
  #finish(trailers: Headers): void {
    if (this.#isOver) return;
    this.#over();
    if (this.#isHeaded) {
      this.#responder.end(trailers);
      return;
    }
    const fields = ['content-type', 'application/grpc', ...trailers];
    this.#responder.head({ status: 200, fields, bodyBytes: undefined });
    this.#responder.end([]);
  }

  #over(): void {
    this.#isOver = true;
    this.#receiver = NO_RECEIVER;
    this.#waiting = [];
    this.#hold.release();
    this.#frames.letGo();
  }
}

function faultOfFrame(error: FrameError, messageBytesMax: number): Fault {
  if (error === 'too-large')
    return fault('body-too-large', `a message to this method has at most ${messageBytesMax} bytes.`);
  return fault('unimplemented', 'the message is compressed; methods of the sidecar itself take it only as it is.');
}
