// A call or a tunnel between sidecars as gRPC messages: what a writer and a reader of any method (streamed.ts, unary.ts, tunnelled.ts)
// are.
import type { Flow } from '../../api/exchange.ts';
import { type Fault, fault } from '../../api/fault.ts';
import type { Headers } from '../../api/headers.ts';
import type { EncodedMessage } from '../../api/proto/peer-encoding.ts';
import type { Result } from '../../kit/result.ts';
import { type FrameError, frameText } from '../../wire/grpc-frame.ts';

const SERVICE = '/dapr.proto.internals.v1.ServiceInvocation';
export const CALL_LOCAL_STREAM = `${SERVICE}/CallLocalStream`;
export const CALL_LOCAL = `${SERVICE}/CallLocal`;

/** Takes a head and a body, and sends the messages that say them. The sender half-closes after `end`. */
export interface MessageWriter<H> {
  head(head: H): void;
  data(chunk: Buffer): Flow;
  end(trailers: Headers): void;
  /** Forgets what has not been sent: the call ends another way. */
  drop(): void;
}

/** Takes the bytes of one direction, and gives the messages in them. */
export interface MessageReader<M> {
  push(chunk: Buffer): Result<readonly M[], Fault>;
  /** Whether the direction may end here. */
  readonly isComplete: boolean;
  /** Bytes that wait for the rest of their message. */
  readonly heldBytes: number;
  /** Forgets those. Nothing more is read. */
  drop(): void;
}

/** Takes the bytes of frames. What is given to it in one turn leaves in one write. */
export interface FrameSink {
  send(bytes: Buffer): Flow;
}

/** What is larger goes as it is; what is smaller is cheaper copied than written apart. */
const COPY_BYTES_MAX = 2048;

export function sendMessage(sink: FrameSink, { front, piece }: EncodedMessage): Flow {
  const isApart = piece !== undefined && piece.length > COPY_BYTES_MAX;
  const flow = sink.send(frameText(front, piece, isApart));
  return isApart ? sink.send(piece) : flow;
}

export function unreadable(reason: string): Fault {
  return fault('bad-request', `the peer's message cannot be read: ${reason}.`);
}

export function faultOfFrame(error: FrameError): Fault {
  if (error === 'compressed') return fault('unimplemented', 'the peer compressed a message, which was not agreed on.');
  return fault('body-too-large', 'the peer sent a message larger than any may be.');
}
