// For tests: an operator that speaks the feed's protocol over real connections, and says what the test has it say.
import { once } from 'node:events';
import http2, { type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import {
  decodeFeedRequest,
  encodeFeedMessage,
  type FeedEndpoint,
  type FeedMessage,
  type FeedRequest,
  type FeedResource,
} from '../../api/proto/feed.ts';
import type { Credentials } from '../../identity/svid.ts';
import { serverContext } from '../../identity/tls.ts';
import { must } from '../../kit/result.ts';
import { portOf } from '../../kit/testing/ports.ts';
import type { HostPort } from '../../kit/values.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frame.ts';

/** One sidecar's stream. */
export interface Subscribed {
  readonly requests: readonly FeedRequest[];
  /** Settles when there are so many. */
  said(count: number): Promise<readonly FeedRequest[]>;
  tell(message: FeedMessage): void;
  /** Bytes in place of a message. */
  tellBytes(bytes: Buffer): void;
  end(status: number, message: string): void;
  /** Settles when the sidecar is gone. */
  readonly gone: Promise<void>;
}

export interface TestOperator {
  readonly address: HostPort;
  /** Settles when so many streams were opened, with the last of them. */
  subscribed(count: number): Promise<Subscribed>;
  /** Reads nothing more from the sidecars, and answers no ping: as though the network swallowed everything. */
  freeze(): void;
  close(): Promise<void>;
}

export async function startTestOperator(credentials: Credentials, port = 0): Promise<TestOperator> {
  const server = http2.createSecureServer(serverContext(credentials));
  const sockets = new Set<Socket>();
  const streams: Subscribed[] = [];
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream) => {
    streams.push(subscribedOn(stream));
    server.emit('subscribed');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: { host: '127.0.0.1', port: portOf(server) },
    async subscribed(count) {
      for (;;) {
        const stream = streams[count - 1];
        if (stream !== undefined) return stream;
        await once(server, 'subscribed');
      }
    },
    freeze() {
      for (const socket of sockets) socket.pause();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function subscribedOn(stream: ServerHttp2Stream): Subscribed {
  const reader = new FrameReader(1024 * 1024);
  const requests: FeedRequest[] = [];
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => {
    requests.push(...must(reader.push(chunk)).map((bytes) => must(decodeFeedRequest(bytes))));
  });
  return {
    requests,
    async said(count) {
      while (requests.length < count) await once(stream, 'data');
      return requests;
    },
    tell: (message) => void stream.write(frameMessage(encodeFeedMessage(message))),
    tellBytes: (bytes) => void stream.write(bytes),
    end(status, message) {
      const trailers = { 'grpc-status': `${status}`, 'grpc-message': encodeURIComponent(message) };
      stream.once('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end();
    },
    gone: new Promise((done) => void stream.once('close', done)),
  };
}

export interface ConfigShape {
  readonly epoch?: number;
  readonly version?: number;
  readonly names?: readonly string[];
  readonly spec?: string;
}

const ACCESS = { barredNamespaces: ['lab', 'stage'], defaultAccess: 'deny' } as const;

/** A config with policies of these names. */
export function configMessage(anchors: readonly string[], shape: ConfigShape = {}): FeedMessage {
  const { epoch = 1, version = 1, names = ['policy'], spec = '{}' } = shape;
  const resource = (name: string): FeedResource => ({
    ...{ kind: 'AccessPolicy', namespace: 'shop', name, generation: 1, createdMs: 0, spec: Buffer.from(spec) },
  });
  const trustAnchors = Buffer.from(anchors.join('\n'));
  const versions = [{ kind: 'AccessPolicy', version }];
  return {
    epoch,
    part: { kind: 'config', config: { ...ACCESS, versions, trustAnchors, resources: names.map(resource) } },
  };
}

/** One ready endpoint at each address. */
export function endpointsMessage(appId: string, ...addresses: readonly string[]): FeedMessage {
  const endpoints = addresses.map((address): FeedEndpoint => {
    const state = { ready: true, serving: true, terminating: false };
    return { address, port: 50002, ...state, zone: '', pod: `pod-${address}`, labels: new Map() };
  });
  const app = { appId, namespace: 'shop' };
  return { epoch: 1, part: { kind: 'endpoints', endpoints: { app, isClaimed: true, endpoints, version: 1 } } };
}
