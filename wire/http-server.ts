// A server's connection on a port that speaks both: HTTP/1.1, and HTTP/2 to whoever begins with it (RFC 9113, 3.3) or asks
// for it by Upgrade (RFC 7540, 3.2).
//
//   opening ──▶ http/1.1 ──▶ http/2, in a tunnel of it      its first bytes decide; an Upgrade may follow any answer
//      └──────▶ http/2
import type { Clock } from '../kit/clock.ts';
import type { ByteLink } from './byte-link.ts';
import { HttpOpening, type HttpProtocol } from './http-opening.ts';
import { http1Server } from './http1/server.ts';
import type { Http1ServerConnection, Http1ServerOptions } from './http1/server-options.ts';
import { IdleWatch } from './http2/idle-watch.ts';
import { type Http2ServerConnection, http2Server, type ServerOptions } from './http2/server.ts';
import { applySettings, SETTINGS_BEFORE_ANY } from './http2/settings.ts';
import type { RequestHead, RequestReceiver, Responder, Serve, WireFailure } from './message.ts';
import { PassedLink } from './passed-link.ts';
import { TunnelLink } from './tunnel-link.ts';

export type { HttpProtocol } from './http-opening.ts';

export interface HttpServerOptions extends Omit<Http1ServerOptions, 'elapsedMs' | 'offence'> {
  readonly clock: Clock;
  /** HTTP/2 is spoken, too, within these bounds; undefined: it is not. */
  readonly http2?: Pick<ServerOptions, 'streamsMax' | 'headBytesMax' | 'headFieldsMax'>;
  readonly offence?: (failure: WireFailure, protocol: HttpProtocol) => void;
}

export interface HttpServerConnection {
  readonly protocol: HttpProtocol;
  /** No request is under way, or on its way as far as this side can see. */
  readonly isIdle: boolean;
  /** Closes what has waited for longer than the options allow. */
  sweep(nowMs: number): void;
  /** Finishes what is under way, says that nothing may follow, then ends. */
  drain(): void;
  destroy(): void;
}

export type ServeOn = (head: RequestHead, responder: Responder, connection: HttpServerConnection) => RequestReceiver;

const IDLE_MS = 120_000;
const HEAD_MS = 10_000;
const STOPPING: WireFailure = { kind: 'closed', reason: 'this side is stopping' };

/** Serves the connection from its first byte on. */
export function httpServer(link: ByteLink, serve: ServeOn, options: HttpServerOptions): HttpServerConnection {
  return new Connection(link, serve, options);
}

type Upgraded = ServerOptions['upgraded'];

type Stage =
  | { readonly protocol: 'unknown'; readonly opening: HttpOpening }
  | { readonly protocol: 'http/1.1'; readonly connection: Http1ServerConnection }
  | { readonly protocol: 'http/2'; readonly connection: Http2ServerConnection; readonly watch: IdleWatch };

class Connection implements HttpServerConnection {
  readonly #link: PassedLink;
  readonly #serve: ServeOn;
  readonly #options: HttpServerOptions;
  protocol: HttpProtocol = 'http/1.1';
  #stage: Stage;
  #isDraining = false;

  constructor(link: ByteLink, serve: ServeOn, options: HttpServerOptions) {
    const { clock, closed } = options;
    this.#link = new PassedLink(link, closed);
    this.#serve = serve;
    this.#options = options;
    const begin = (protocol: HttpProtocol) => {
      if (protocol === 'http/2') this.#beginHttp2(this.#link);
      else this.#stage = this.#http1();
    };
    this.#stage =
      options.http2 === undefined
        ? this.#http1()
        : { protocol: 'unknown', opening: new HttpOpening(this.#link, () => clock.elapsed(), begin) };
  }

  get isIdle(): boolean {
    const stage = this.#stage;
    if (stage.protocol === 'unknown') return stage.opening.isEmpty;
    return stage.protocol === 'http/1.1' ? stage.connection.phase === 'idle' : stage.connection.streamCount === 0;
  }

  sweep(nowMs: number): void {
    const stage = this.#stage;
    if (stage.protocol === 'unknown') this.#sweepOpening(stage.opening, nowMs);
    else if (stage.protocol === 'http/1.1') stage.connection.sweep(nowMs);
    else stage.watch.sweep(nowMs);
  }

  drain(): void {
    this.#isDraining = true;
    if (this.#stage.protocol === 'unknown') this.#stage.opening.settle();
    if (this.#stage.protocol !== 'unknown') this.#stage.connection.drain();
  }

  destroy(): void {
    const stage = this.#stage;
    if (stage.protocol === 'unknown') this.#link.destroy();
    else if (stage.protocol === 'http/1.1') stage.connection.destroy();
    else stage.connection.destroy(STOPPING);
  }

  /** What has sent a byte or two is a head that takes too long, and that is for HTTP/1.1 to say. */
  #sweepOpening(opening: HttpOpening, nowMs: number): void {
    const { idleMs = IDLE_MS, headMs = HEAD_MS } = this.#options;
    const waitedMs = opening.waitedMs(nowMs);
    if (opening.isEmpty && waitedMs >= idleMs) this.drain();
    else if (!opening.isEmpty && waitedMs >= headMs) opening.settle();
  }

  #http1(): Stage {
    const { clock, offence, http2: _, closed: __, ...common } = this.#options;
    const connection = http1Server(this.#link, (head, responder) => this.#serveHttp1(head, responder), {
      ...common,
      elapsedMs: () => clock.elapsed(),
      offence: (failure) => offence?.(failure, 'http/1.1'),
    });
    return { protocol: 'http/1.1', connection };
  }

  #serveHttp1(head: RequestHead, responder: Responder): RequestReceiver {
    const settings = head.upgrade === undefined || this.#isDraining ? undefined : this.#settingsOfUpgrade(head);
    if (settings === undefined) return this.#serve(head, responder, this);
    const tunnel = new TunnelLink(responder);
    const request = { ...head, upgrade: undefined, http2Settings: undefined };
    // Not at once: the request's connection does not know the receiver yet.
    queueMicrotask(() => {
      responder.head({ status: 101, fields: ['upgrade', 'h2c'], bodyBytes: undefined });
      this.#beginHttp2(tunnel, { request, settings });
    });
    return tunnel.receiver;
  }

  /** Of a request that is better served by HTTP/1.1 (RFC 7540, 3.2.1), undefined. One with a body is no Upgrade at all. */
  #settingsOfUpgrade({ upgrade = '', http2Settings }: RequestHead): Buffer | undefined {
    if (this.#options.http2 === undefined || http2Settings === undefined) return undefined;
    const isAsked = upgrade.split(',').some((token) => token.trim().toLowerCase() === 'h2c');
    if (!isAsked || !/^[\w-]*$/.test(http2Settings)) return undefined;
    const settings = Buffer.from(http2Settings, 'base64url');
    return applySettings(SETTINGS_BEFORE_ANY, settings).ok ? settings : undefined;
  }

  #beginHttp2(link: ByteLink, upgraded?: Upgraded): void {
    const { clock, idleMs = IDLE_MS, headMs = HEAD_MS } = this.#options;
    // Before the connection is there: an upgraded request is served while it is made.
    this.protocol = 'http/2';
    let watch: IdleWatch | undefined;
    const events = {
      ready: () => watch?.begun(),
      closed: (failure: WireFailure) => {
        if (failure.kind === 'malformed' || failure.kind === 'limit') this.#options.offence?.(failure, 'http/2');
      },
    };
    const serve: Serve = (head, responder) => this.#serve(head, responder, this);
    const connection = http2Server(link, serve, events, this.#http2Options(upgraded));
    watch = new IdleWatch(connection, { idleMs, answerMs: headMs }, clock.elapsed());
    this.#stage = { protocol: 'http/2', connection, watch };
    if (this.#isDraining) connection.drain();
  }

  #http2Options(upgraded: Upgraded): ServerOptions {
    const { clock, http2, offence, refusal } = this.#options;
    return {
      ...http2,
      clock,
      ...(upgraded && { upgraded }),
      ...(refusal && {
        refusal: (failure, status) => {
          offence?.(failure, 'http/2');
          return refusal(failure, status);
        },
      }),
    };
  }
}
