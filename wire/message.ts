// What HTTP/1.1 and HTTP/2 connections have in common: heads, and two messages that are pushed and steered from the far side.
// The rules E1 to E5 of api/exchange.ts hold here too; an edge of the sidecar turns one into the other.

/** Fields in order, flat: name, value, name, value. Names in lower case; one character per byte (latin1). */
export type Fields = readonly string[];

export interface RequestHead {
  /** Any token, as it came. */
  readonly method: string;
  /** As it came: origin form (`/a?b`), absolute form, `*`, or an authority (CONNECT). */
  readonly target: string;
  /** Host or `:authority`; undefined where HTTP/1.0 had none. */
  readonly authority: string | undefined;
  /** `:scheme` of HTTP/2. */
  readonly scheme: string | undefined;
  /**
   * Without pseudo-header fields, and without those of HTTP/1.1 that the codec has acted on: connection and what it names,
   * keep-alive, proxy-connection, transfer-encoding, upgrade, http2-settings, and expect: 100-continue. HTTP/1.1 writes
   * none of these from here, nor host and content-length: `authority`, `bodyBytes` and the others below say it.
   */
  readonly fields: Fields;
  /** As declared; 0 where there is no body; undefined where only its end will tell. */
  readonly bodyBytes: number | undefined;
  /** The token of an Upgrade that HTTP/1.1 asks for, or of extended CONNECT (RFC 8441); undefined for none. */
  readonly upgrade: string | undefined;
  /** The client waits for 100 before it sends the body. */
  readonly expectsContinue: boolean;
  /** HTTP2-Settings as it came, with an Upgrade to h2c (RFC 7540, 3.2.1); two of them are none that can be read. */
  readonly http2Settings?: string | undefined;
  /** Names of fields that no table of HPACK may keep, here or further on. */
  readonly neverIndexed?: ReadonlySet<string>;
}

export interface ResponseHead {
  readonly status: number;
  readonly fields: Fields;
  /** As declared; undefined where only its end will tell. What HEAD, 204 and 304 have no body for is the codec's to know. */
  readonly bodyBytes: number | undefined;
  /** As in a request. */
  readonly neverIndexed?: ReadonlySet<string>;
}

/** The answer to what is no request. */
export interface Refusal {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

export type Flow = 'ok' | 'pause';

/** Why a message or a connection ended before its time. */
export interface WireFailure {
  /**
   * `malformed`: the far side broke the protocol; `limit`: it went past a bound of ours; `reset`: it gave the message up;
   * `closed`: the connection went away; `refused`: it says that it has not looked at the request, which may be sent again.
   */
  readonly kind: 'malformed' | 'limit' | 'reset' | 'closed' | 'refused';
  /** For the log: what broke which rule. Of a bound also the counter's label, such as `head-bytes`. */
  readonly reason: string;
}

/** Said with a message, by whoever pushes it. */
export interface Pushed {
  data(chunk: Buffer): Flow;
  end(trailers: Fields): void;
  /** The message will not be completed. */
  abort(failure: WireFailure): void;
}

/** Said against a message, by whoever receives it. */
export interface Steering {
  /** Go on after a `pause`. */
  resume(): void;
  /** The rest is not wanted. */
  cancel(failure: WireFailure): void;
}

/** Takes everything and does nothing: where a request was answered at once, or nobody is there yet. */
export const NOBODY: Pushed & Steering = {
  data: () => 'ok',
  end: () => undefined,
  abort: () => undefined,
  resume: () => undefined,
  cancel: () => undefined,
};

/** Said of a message, or against one, that we have no more use for. */
export const GIVEN_UP: WireFailure = { kind: 'reset', reason: 'the call is over' };

/** A server's hand on one exchange: it pushes the response, and steers the request. */
export interface Responder extends Pushed, Steering {
  /** 100, 102, 103: any number of times before `head`. */
  informational(status: number, fields: Fields): void;
  /**
   * Once, before any data. 101, or 2xx to a CONNECT, turns both messages into a tunnel of bare bytes. A request that asks for
   * one is not ended before the tunnel is, and not at all where there is none.
   */
  head(head: ResponseHead): void;
}

/** What a server holds out to the connection: takes the request's body, and is steered in its response. */
export interface RequestReceiver extends Pushed, Steering {}

/** Called for each request, in order. Bytes that are ready follow in the same turn, after it has returned. */
export type Serve = (head: RequestHead, responder: Responder) => RequestReceiver;

/** A client's hand on one exchange: it pushes the request's body, and steers the response. */
export interface Requester extends Pushed, Steering {}

/** What a client holds out to the connection: takes the response, and is steered in its request. */
export interface ResponseReceiver extends Pushed, Steering {
  informational(status: number, fields: Fields): void;
  head(head: ResponseHead): void;
}
