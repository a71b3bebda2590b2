// For tests: a subscriber that says and reads exactly what the test wants, over a real connection.
import { once } from 'node:events';
import { type ClientHttp2Stream, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { decodeGrpcMessage } from '../../api/grpc-status.ts';
import type { Identity } from '../../api/ids.ts';
import {
  decodeFeedMessage,
  encodeFeedRequest,
  FEED_MESSAGE_BYTES_MAX,
  FEED_PATH,
  type FeedMessage,
  type FeedRequest,
} from '../../api/proto/feed.ts';
import type { Credentials } from '../../identity/svid.ts';
import { clientOptions } from '../../identity/tls.ts';
import { must } from '../../kit/result.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frame.ts';

export interface TestClient {
  readonly stream: ClientHttp2Stream;
  send(request: FeedRequest): void;
  /** So far. */
  readonly messages: readonly FeedMessage[];
  /** Settles when there are so many. */
  received(count: number): Promise<readonly FeedMessage[]>;
  /** The status that the stream ended with, and its words. */
  readonly ended: Promise<{ readonly status: string; readonly message: string }>;
  close(): void;
}

export function subscribe(port: number, credentials: Credentials, operator: Identity): TestClient {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ...clientOptions(credentials, { identity: operator, now: Date.now }),
  });
  const session = connectHttp2('https://operator', { createConnection: () => socket });
  session.on('error', () => undefined);
  // The platform's HTTP/2 leaves a socket half open that may be.
  socket.once('end', () => session.destroy()).resume();
  const stream = session.request({
    ':method': 'POST',
    ':path': FEED_PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  const reader = new FrameReader(FEED_MESSAGE_BYTES_MAX);
  const messages: FeedMessage[] = [];
  stream.on('data', (chunk: Buffer) => {
    messages.push(...must(reader.push(chunk)).map((bytes) => must(decodeFeedMessage(bytes))));
  });
  let last: IncomingHttpHeaders = {};
  stream.on('response', (headers) => {
    last = headers;
  });
  stream.on('trailers', (headers) => {
    last = headers;
  });
  // A server that ends its half leaves ours open; a connection that breaks ends nothing in order.
  const ended = new Promise<void>((done) => void stream.once('end', done).once('close', done)).then(() => ({
    status: String(last['grpc-status']),
    message: decodeGrpcMessage(String(last['grpc-message'] ?? '')),
  }));
  return {
    ...{ stream, messages, ended },
    send: (request) => void stream.write(frameMessage(encodeFeedRequest(request))),
    async received(count) {
      while (messages.length < count) await once(stream, 'data');
      return messages;
    },
    close: () => session.destroy(),
  };
}
