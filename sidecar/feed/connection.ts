// One connection to the operator with the one stream on it, over mutual TLS; the operator is known by its SPIFFE ID.
//
//   connecting ──▶ open ──▶ closed, once and for all
//        └─────────────────────▲
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { decodeGrpcMessage } from '../../api/grpc-status.ts';
import { type Identity, spiffeId } from '../../api/ids.ts';
import {
  decodeFeedMessage,
  encodeFeedRequest,
  FEED_MESSAGE_BYTES_MAX,
  FEED_PATH,
  type FeedMessage,
  type FeedRequest,
} from '../../api/proto/feed.ts';
import type { Credentials } from '../../identity/svid.ts';
import { classifyTlsError, clientOptions, peerIdentity } from '../../identity/tls.ts';
import type { Random } from '../../kit/backoff.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { excerpt } from '../../kit/text.ts';
import type { HostPort } from '../../kit/values.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frame.ts';
import { joinFates, keepAlive, retireAfterMs } from '../link/session.ts';

export interface ConnectionOptions {
  readonly address: HostPort;
  readonly operator: Identity;
  readonly credentials: Credentials;
  /** What is said first; asked for when there is somebody to say it to. */
  readonly greeting: () => FeedRequest;
  readonly clock: Clock;
  readonly random: Random;
  readonly message: (message: FeedMessage) => void;
  /** It has been open for long enough: time for another under newer certificates. */
  readonly retire: () => void;
  /** Once, unless we closed it. For people: what failed, why, and what to do. */
  readonly ended: (reason: string) => void;
}

type State =
  | { readonly kind: 'connecting'; readonly socket: TLSSocket; readonly cancelTimers: Cancel }
  | {
      readonly kind: 'open';
      readonly session: ClientHttp2Session;
      readonly stream: ClientHttp2Stream;
      readonly cancelTimers: Cancel;
    }
  | { readonly kind: 'closed' };

/** For TCP and TLS together. */
const CONNECT_MS = 5000;
/** The operator may have to catch up before it answers. */
const FIRST_MESSAGE_MS = 20_000;
const WINDOW_BYTES = 1024 * 1024;

export class FeedConnection {
  readonly #options: ConnectionOptions;
  readonly #reader = new FrameReader(FEED_MESSAGE_BYTES_MAX);
  #state: State;
  #cancelSilence: Cancel = () => undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#state = this.#connect();
  }

  send(request: FeedRequest): void {
    if (this.#state.kind === 'open') this.#state.stream.write(frameMessage(encodeFeedRequest(request)));
  }

  /** Says no more. Idempotent. */
  close(): void {
    const state = this.#state;
    this.#state = { kind: 'closed' };
    this.#cancelSilence();
    if (state.kind === 'closed') return;
    state.cancelTimers();
    // Its socket goes with it.
    if (state.kind === 'open') state.session.destroy();
    else state.socket.destroy();
  }

  #connect(): State {
    const { address, operator, credentials, clock } = this.#options;
    const expected = { identity: operator, now: () => clock.now() };
    const socket = connectTls({ ...address, ...clientOptions(credentials, expected) });
    socket.once('secureConnect', () => this.#secured(socket));
    socket.on('error', (error) => this.#failed(error));
    socket.once('close', () => this.#failed(new Error('the connection was closed')));
    const cancelTimers = clock.after(CONNECT_MS, () => this.#failed(new Error(`it took longer than ${CONNECT_MS} ms`)));
    return { kind: 'connecting', socket, cancelTimers };
  }

  #secured(socket: TLSSocket): void {
    const { operator, credentials, clock, random, retire } = this.#options;
    if (this.#state.kind !== 'connecting') return;
    const peer = peerIdentity(socket, operator.trustDomain, clock.now());
    if (!peer.ok) {
      this.#failed(new Error(peer.error));
      return;
    }
    this.#state.cancelTimers();
    const session = connectHttp2('https://operator', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    });
    joinFates(session, socket);
    session.on('error', (error) => this.#failed(error));
    session.once('close', () => this.#failed(new Error('the connection was closed')));
    const cancelKeepAlive = keepAlive(session, clock, () => this.#failed(new Error('it stopped answering pings')));
    const notAfter = Math.min(peer.value.notAfter, credentials.svid.notAfter);
    const cancelRetire = clock.after(retireAfterMs(notAfter, clock.now(), random), retire);
    const cancelTimers = () => {
      cancelKeepAlive();
      cancelRetire();
    };
    this.#state = { kind: 'open', session, stream: this.#subscribe(session), cancelTimers };
    this.send(this.#options.greeting());
    this.#cancelSilence = clock.after(FIRST_MESSAGE_MS, () => this.#failed(new Error('it says nothing')));
  }

  #subscribe(session: ClientHttp2Session): ClientHttp2Stream {
    const stream = session.request({
      ':method': 'POST',
      ':path': FEED_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let last: IncomingHttpHeaders = {};
    stream.on('response', (headers) => {
      last = headers;
    });
    stream.on('trailers', (headers) => {
      last = headers;
    });
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (error) => this.#failed(error));
    stream.on('end', () => this.#failed(new Error(lastWords(last))));
    return stream;
  }

  #receive(chunk: Buffer): void {
    const read = this.#reader.push(chunk);
    if (!read.ok) {
      this.#failed(new Error(`its message is ${read.error}`));
      return;
    }
    for (const bytes of read.value) {
      const message = decodeFeedMessage(bytes);
      if (!message.ok) {
        this.#failed(new Error(`its message cannot be read: ${message.error}`));
        return;
      }
      // Whoever is told may close the connection.
      if (this.#state.kind === 'closed') return;
      this.#cancelSilence();
      this.#options.message(message.value);
    }
  }

  /** The first reason counts: what comes after it is an echo. */
  #failed(error: Error): void {
    if (this.#state.kind === 'closed') return;
    const wasOpen = this.#state.kind === 'open';
    this.close();
    this.#options.ended(this.#explain(error, wasOpen));
  }

  #explain(error: Error, wasOpen: boolean): string {
    const { address, operator } = this.#options;
    const name = `the operator's feed at ${address.host}:${address.port}`;
    // Where a name has several addresses, the platform's error has codes and no message.
    const why = error.message || ('code' in error ? String(error.code) : error.name);
    if (wasOpen) return `${name} broke off: ${why}`;
    if (classifyTlsError(error) === 'untrusted') return `${name} is not to be trusted as ${spiffeId(operator)}: ${why}`;
    return `${name} cannot be reached: ${why}; check that the operator of Invoke runs`;
  }
}

/** Of gRPC: the status in the trailers, or in the head where nothing else came. */
function lastWords(headers: IncomingHttpHeaders): string {
  const status = headers['grpc-status'];
  if (status === undefined) return 'the stream was closed';
  const message = excerpt(decodeGrpcMessage(String(headers['grpc-message'] ?? '')), 300);
  return `${message || 'it gave no reason'} (grpc-status ${status})`;
}
