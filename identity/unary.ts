// One unary gRPC call on a connection of its own (gRPC over HTTP/2): all that asking the authority needs, twice a day.
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import { decodeGrpcMessage } from '../api/grpc-status.ts';
import { printTimeout } from '../api/timeout.ts';
import type { Cancel, Clock } from '../kit/clock.ts';
import { codeOf } from '../kit/errors.ts';
import { err, ok, type Result } from '../kit/result.ts';
import { FrameReader, frameMessage } from '../wire/grpc-frame.ts';

export type UnaryFailure =
  /** No answer: the connection failed, broke or took too long. */
  | { readonly kind: 'broken'; readonly cause: Error }
  /** An answer that is not gRPC, or not one whole message. */
  | { readonly kind: 'malformed'; readonly reason: string }
  /** The server's own refusal: its grpc-status and grpc-message. */
  | { readonly kind: 'status'; readonly status: number; readonly message: string };

export interface UnaryCall {
  /** Makes the connection; it may still be connecting when it is handed over. */
  readonly connect: () => Duplex;
  /** Scheme and authority, as in `https://host:port`; who really answers is up to `connect`. */
  readonly origin: string;
  readonly path: string;
  readonly message: Buffer;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const REPLY_BYTES_MAX = 1024 * 1024;

/** Calls `done` once, unless cancelled, and leaves no connection behind in any case. */
export function callUnary(call: UnaryCall, done: (reply: Result<Buffer, UnaryFailure>) => void): Cancel {
  const session = http2.connect(call.origin, { createConnection: call.connect });
  const timeout = call.clock.after(call.timeoutMs, () =>
    settle(broken(new Error(`no answer within ${call.timeoutMs} ms`))),
  );
  let isSettled = false;
  function stop(): void {
    isSettled = true;
    timeout();
    session.destroy();
  }
  function settle(reply: Result<Buffer, UnaryFailure>): void {
    if (isSettled) return;
    stop();
    done(reply);
  }
  session.on('error', (cause) => settle(broken(cause)));
  session.on('close', () => settle(broken(new Error('the connection was closed'))));
  readReply(sendRequest(session, call), settle);
  return stop;
}

function sendRequest(session: ClientHttp2Session, call: UnaryCall): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': call.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': printTimeout(call.timeoutMs),
  });
  stream.end(frameMessage(call.message));
  return stream;
}

function readReply(stream: ClientHttp2Stream, settle: (reply: Result<Buffer, UnaryFailure>) => void): void {
  const reader = new FrameReader(REPLY_BYTES_MAX);
  const messages: Buffer[] = [];
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on('response', (headers) => {
    head = headers;
  });
  stream.on('trailers', (headers) => {
    trailers = headers;
  });
  stream.on('data', (chunk: Buffer) => {
    const read = reader.push(chunk);
    if (read.ok) messages.push(...read.value);
    else settle(malformed(`its message is ${read.error}`));
  });
  stream.on('error', (error) => settle(broken(connectionErrorOf(error))));
  stream.on('end', () => settle(judge(head, { ...head, ...trailers }, messages)));
}

/** `last` holds the trailers, or the head where the server sent nothing else ("Trailers-Only"). */
function judge(
  head: IncomingHttpHeaders,
  last: IncomingHttpHeaders,
  messages: readonly Buffer[],
): Result<Buffer, UnaryFailure> {
  // A connection that is closed without an error ends its streams as though they were complete.
  if (head[':status'] === undefined) return broken(new Error('the connection was closed'));
  const status = last['grpc-status'];
  if (typeof status !== 'string') return malformed(`it answered ${head[':status']} without a grpc-status`);
  if (status !== '0') {
    return err({
      kind: 'status',
      status: Number(status),
      message: decodeGrpcMessage(String(last['grpc-message'] ?? '')),
    });
  }
  const [message] = messages;
  return message && messages.length === 1 ? ok(message) : malformed(`it sent ${messages.length} messages, not one`);
}

/** A stream that waits for its connection hears of the connection's error first, wrapped up in words about itself. */
function connectionErrorOf(error: Error): Error {
  return codeOf(error) === 'ERR_HTTP2_STREAM_CANCEL' && error.cause instanceof Error ? error.cause : error;
}

function broken(cause: Error): Result<never, UnaryFailure> {
  return err({ kind: 'broken', cause });
}

function malformed(reason: string): Result<never, UnaryFailure> {
  return err({ kind: 'malformed', reason });
}
