// For tests: a peer that says exactly what a test wants it to say, right or wrong, on a real connection.
import { once } from 'node:events';
import http2 from 'node:http2';
import tls from 'node:tls';
import type { Credentials } from '../../identity/svid.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frame.ts';
import { CALL_LOCAL_STREAM } from '../link/messages.ts';

export interface RawAnswer {
  readonly status: number;
  /** gRPC messages, undecoded. */
  readonly messages: readonly Buffer[];
  readonly trailers: Readonly<Record<string, unknown>>;
}

export interface RawPeer {
  readonly session: http2.ClientHttp2Session;
  /** Sends these messages on one stream, half-closes, and gives what came back. */
  call(messages: readonly Buffer[], path?: string, headers?: http2.OutgoingHttpHeaders): Promise<RawAnswer>;
  /** A stream of which the test does everything itself. */
  open(path?: string): http2.ClientHttp2Stream;
  close(): void;
}

/** Connects without looking at who answers. Rejects when the connection is refused. */
export async function rawPeer(
  port: number,
  credentials: Partial<Credentials>,
  options: tls.ConnectionOptions = {},
): Promise<RawPeer> {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
    ...(credentials.svid === undefined ? {} : { cert: credentials.svid.chainPem, key: credentials.svid.keyPem }),
    ...options,
  });
  await once(socket, 'secureConnect');
  const session = http2.connect('https://peer', { createConnection: () => socket });
  const refused = new Promise<never>((_, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    session.once('error', reject);
    session.once('close', () => reject(new Error('the connection was closed')));
  });
  refused.catch(() => undefined);
  await Promise.race([once(session, 'remoteSettings'), refused]);
  const open = (path = CALL_LOCAL_STREAM, headers: http2.OutgoingHttpHeaders = {}) =>
    session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
  return {
    session,
    open,
    async call(messages, path, headers) {
      const stream = open(path, headers);
      for (const message of messages) stream.write(frameMessage(message));
      stream.end();
      return answerOf(stream);
    },
    close: () => session.destroy(),
  };
}

export async function answerOf(stream: http2.ClientHttp2Stream): Promise<RawAnswer> {
  const frames = new FrameReader(2 ** 30);
  const messages: Buffer[] = [];
  let head: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on('response', (headers) => {
    head = headers;
  });
  stream.on('trailers', (headers) => {
    trailers = headers;
  });
  stream.on('data', (chunk: Buffer) => {
    const read = frames.push(chunk);
    if (read.ok) messages.push(...read.value);
  });
  stream.on('error', () => undefined);
  await new Promise((closed) => stream.once('close', closed));
  return { status: Number(head[':status']), messages, trailers: { ...head, ...trailers } };
}
