// One unary gRPC call on a connection of its own (gRPC over HTTP/2): all that asking the authority needs, twice a day.
//
//   connecting ──▶ asking ──▶ over       with the reply, with the first thing that goes wrong, or because it was cancelled
//        └────────────────────▲
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { decodeGrpcMessage } from '../api/grpc-status.ts';
import { printTimeout } from '../api/timeout.ts';
import type { Cancel, Clock } from '../kit/clock.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { GrpcAnswer, type GrpcEnd, type GrpcEvents, grpcRequest } from '../wire/grpc-call.ts';
import { frameMessage } from '../wire/grpc-frame.ts';
import { type Http2ClientConnection, http2Client } from '../wire/http2/client.ts';
import { socketLink } from '../wire/socket-link.ts';

export type UnaryFailure =
  /** No answer: the connection failed, broke or took too long. */
  | { readonly kind: 'broken'; readonly cause: Error }
  /** An answer that is not gRPC, or not one whole message. */
  | { readonly kind: 'malformed'; readonly reason: string }
  /** The server's own refusal: its grpc-status and grpc-message. */
  | { readonly kind: 'status'; readonly status: number; readonly message: string };

export interface UnaryCall {
  /** Makes the connection, with `allowHalfOpen`; it is still connecting when it is handed over. */
  readonly connect: () => Socket;
  /** What the request says of its way; who really answers is up to `connect`. */
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  readonly message: Buffer;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

type Reply = Result<Buffer, UnaryFailure>;

const REPLY_BYTES_MAX = 1024 * 1024;

/** Calls `done` once, unless cancelled, and leaves no connection behind in any case. */
export function callUnary(call: UnaryCall, done: (reply: Reply) => void): Cancel {
  const asking = new Asking(call, done);
  return () => asking.stop();
}

type State =
  | { readonly kind: 'connecting'; readonly socket: Socket }
  | { readonly kind: 'asking'; readonly connection: Http2ClientConnection }
  | { readonly kind: 'over' };

class Asking implements GrpcEvents {
  readonly #call: UnaryCall;
  readonly #done: (reply: Reply) => void;
  readonly #cancelTimeout: Cancel;
  readonly #messages: Buffer[] = [];
  #state: State;

  constructor(call: UnaryCall, done: (reply: Reply) => void) {
    this.#call = call;
    this.#done = done;
    const socket = call.connect();
    this.#state = { kind: 'connecting', socket };
    this.#cancelTimeout = call.clock.after(call.timeoutMs, () =>
      this.#settle(broken(new Error(`no answer within ${call.timeoutMs} ms`))),
    );
    // These hear of a failure before HTTP/2 does, and the platform's error says more than can be passed on there.
    socket.on('error', (error) => this.#settle(broken(error)));
    socket.once('close', () => this.#settle(broken(new Error('the connection was closed'))));
    // Over TLS nothing is written, the token least of all, before it is known who reads it.
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => this.#ask(socket));
  }

  stop(): void {
    const state = this.#state;
    this.#state = { kind: 'over' };
    this.#cancelTimeout();
    if (state.kind === 'connecting') state.socket.destroy();
    if (state.kind === 'asking') state.connection.destroy({ kind: 'closed', reason: 'the call is over' });
  }

  message(bytes: Buffer): void {
    this.#messages.push(bytes);
  }

  ended(end: GrpcEnd): void {
    this.#settle(this.#judge(end));
  }

  #ask(socket: Socket): void {
    if (this.#state.kind !== 'connecting') return;
    const { path, message, timeoutMs, clock } = this.#call;
    const connection = http2Client(socketLink(socket), { closed: () => undefined }, { clock });
    this.#state = { kind: 'asking', connection };
    const head = grpcRequest(this.#call, path, ['grpc-timeout', printTimeout(timeoutMs)]);
    const request = connection.request(head, new GrpcAnswer(REPLY_BYTES_MAX, this));
    request.data(frameMessage(message));
    request.end([]);
  }

  #judge(end: GrpcEnd): Reply {
    if (end.kind === 'broken') return broken(new Error(end.reason));
    if (end.kind === 'malformed') return malformed(end.reason);
    if (end.status !== 0) return err({ ...end, message: decodeGrpcMessage(end.message) });
    const [message, ...more] = this.#messages;
    return message !== undefined && more.length === 0
      ? ok(message)
      : malformed(`it sent ${this.#messages.length} messages, not one`);
  }

  /** The first end counts: what comes after it is an echo. */
  #settle(reply: Reply): void {
    if (this.#state.kind === 'over') return;
    this.stop();
    this.#done(reply);
  }
}

function broken(cause: Error): Result<never, UnaryFailure> {
  return err({ kind: 'broken', cause });
}

function malformed(reason: string): Result<never, UnaryFailure> {
  return err({ kind: 'malformed', reason });
}
