// One connection to the operator with the one stream on it, over mutual TLS; the operator is known by its SPIFFE ID.
//
//   connecting ──▶ open ──▶ closed, once and for all
//        └─────────────────────▲
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
import { GrpcAnswer, type GrpcEnd, grpcRequest } from '../../wire/grpc-call.ts';
import { frameMessage } from '../../wire/grpc-frame.ts';
import { type Http2ClientConnection, http2Client } from '../../wire/http2/client.ts';
import type { Requester } from '../../wire/message.ts';
import { socketLink } from '../../wire/socket-link.ts';
import { keepAlive } from '../link/keep-alive.ts';
import { retireAfterMs } from '../link/retire.ts';

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
      readonly connection: Http2ClientConnection;
      readonly stream: Requester;
      readonly cancelTimers: Cancel;
    }
  | { readonly kind: 'closed' };

/** For TCP and TLS together. */
const CONNECT_MS = 5000;
/** The operator may have to catch up before it answers. */
const FIRST_MESSAGE_MS = 20_000;

export class FeedConnection {
  readonly #options: ConnectionOptions;
  #state: State;
  #cancelSilence: Cancel = () => undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#state = this.#connect();
  }

  send(request: FeedRequest): void {
    if (this.#state.kind === 'open') this.#state.stream.data(frameMessage(encodeFeedRequest(request)));
  }

  /** Says no more. Idempotent. */
  close(): void {
    const state = this.#state;
    this.#state = { kind: 'closed' };
    this.#cancelSilence();
    if (state.kind === 'closed') return;
    state.cancelTimers();
    if (state.kind === 'connecting') state.socket.destroy();
    else state.connection.destroy({ kind: 'closed', reason: 'enough was said' });
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
    const connection = http2Client(socketLink(socket), { closed: () => undefined }, { clock });
    const cancelKeepAlive = keepAlive(connection, clock, () => this.#failed(new Error('it stopped answering pings')));
    const notAfter = Math.min(peer.value.notAfter, credentials.svid.notAfter);
    const cancelRetire = clock.after(retireAfterMs(notAfter, clock.now(), random), retire);
    const cancelTimers = () => {
      cancelKeepAlive();
      cancelRetire();
    };
    this.#state = { kind: 'open', connection, stream: this.#subscribe(connection), cancelTimers };
    this.send(this.#options.greeting());
    this.#cancelSilence = clock.after(FIRST_MESSAGE_MS, () => this.#failed(new Error('it says nothing')));
  }

  #subscribe(connection: Http2ClientConnection): Requester {
    const answer = new GrpcAnswer(FEED_MESSAGE_BYTES_MAX, {
      message: (bytes) => this.#receive(bytes),
      ended: (end) => this.#failed(new Error(lastWords(end))),
    });
    return connection.request(grpcRequest({ scheme: 'https', authority: 'operator' }, FEED_PATH), answer);
  }

  #receive(bytes: Buffer): void {
    // Whoever was told of the one before may have closed the connection.
    if (this.#state.kind === 'closed') return;
    const message = decodeFeedMessage(bytes);
    if (!message.ok) {
      this.#failed(new Error(`its message cannot be read: ${message.error}`));
      return;
    }
    this.#cancelSilence();
    this.#options.message(message.value);
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

function lastWords(end: GrpcEnd): string {
  if (end.kind !== 'status') return end.reason;
  const message = excerpt(decodeGrpcMessage(end.message), 300);
  return `${message || 'it gave no reason'} (grpc-status ${end.status})`;
}
