// Transport of a tunnel to the app: an Upgrade on a connection of its own, over HTTP/1.1. Only 101 opens it; until then what
// the caller pushes waits here, and any other status is the app's answer as to any request.
import type { TunnelCall } from '../../api/call.ts';
import { type Flow, type ReplyEnd, type RequestEnd, refuse, SWITCHING } from '../../api/exchange.ts';
import type { Fault } from '../../api/fault.ts';
import { endToEnd, headerValue, NO_HEADERS } from '../../api/headers.ts';
import type { Cancel, Clock } from '../../kit/clock.ts';
import { excerpt } from '../../kit/text.ts';
import type { Http1ClientConnection } from '../../wire/http1/client.ts';
import {
  type Fields,
  GIVEN_UP,
  type Requester,
  type RequestHead,
  type ResponseHead,
  type ResponseReceiver,
  type WireFailure,
} from '../../wire/message.ts';
import type { AppTunnels } from '../app/tunnels.ts';
import type { PermittedCall } from '../authorize/authorize.ts';
import { appFields } from './app.ts';
import {
  appBroke,
  appUnreachable,
  noAppPort,
  switchedElsewhere,
  tooManyTunnels,
  tunnelBroke,
  unwritable,
} from './app-faults.ts';

export interface AppTunnelDeps {
  readonly clock: Clock;
  /** Undefined for a program that only calls. */
  readonly tunnels: AppTunnels | undefined;
  /** Shows the app that the request comes from its own sidecar. */
  readonly token: string | undefined;
}

export function openAppTunnel(call: PermittedCall & TunnelCall, reply: ReplyEnd, deps: AppTunnelDeps): RequestEnd {
  const { tunnels } = deps;
  if (tunnels === undefined) return refuse(reply, noAppPort(call));
  const attempt = new AppTunnel(call, reply, tunnels, deps);
  attempt.start();
  return attempt;
}

type State =
  | { readonly kind: 'connecting'; readonly cancel: Cancel }
  /** For the app's answer. */
  | { readonly kind: 'asking'; readonly connection: Http1ClientConnection; readonly requester: Requester }
  /** Not with 101: its body is under way. */
  | { readonly kind: 'answering'; readonly connection: Http1ClientConnection; readonly requester: Requester }
  | { readonly kind: 'open'; readonly requester: Requester }
  | { readonly kind: 'done' };

const DONE: State = { kind: 'done' };

class AppTunnel implements RequestEnd {
  readonly #call: PermittedCall & TunnelCall;
  readonly #reply: ReplyEnd;
  readonly #tunnels: AppTunnels;
  readonly #deps: AppTunnelDeps;
  #state: State = DONE;
  /** What was pushed before the tunnel stood: at most what one `pause` lets through. */
  #held: Buffer[] = [];
  #isRequestOver = false;
  #isReplyOver = false;

  constructor(call: PermittedCall & TunnelCall, reply: ReplyEnd, tunnels: AppTunnels, deps: AppTunnelDeps) {
    this.#call = call;
    this.#reply = reply;
    this.#tunnels = tunnels;
    this.#deps = deps;
  }

  start(): void {
    const cancel = this.#tunnels.connect((connected) => {
      if (connected.ok) this.#ask(connected.value);
      else this.#fail(appUnreachable(this.#call, this.#tunnels.port, connected.error));
    });
    if (cancel === undefined) this.#reply.abort(tooManyTunnels(this.#call));
    else this.#state = { kind: 'connecting', cancel };
  }

  // The request.

  data(chunk: Buffer): Flow {
    const state = this.#state;
    if (state.kind === 'open') return state.requester.data(chunk);
    if (state.kind !== 'connecting' && state.kind !== 'asking') return 'ok';
    this.#held.push(chunk);
    return 'pause';
  }

  end(): void {
    this.#isRequestOver = true;
    const state = this.#state;
    if (state.kind !== 'open') return;
    if (this.#isReplyOver) this.#state = DONE;
    state.requester.end(NO_HEADERS);
  }

  abort(_reason: Fault): void {
    this.#leave();
  }

  resume(): void {
    if ('requester' in this.#state) this.#state.requester.resume();
  }

  cancel(_reason: Fault): void {
    this.#leave();
  }

  #ask(connection: Http1ClientConnection): void {
    const requester = connection.request(this.#head(), new Answer(this, this.#reply));
    if (this.#state.kind === 'done') connection.destroy();
    else this.#state = { kind: 'asking', connection, requester };
  }

  #head(): RequestHead {
    const { method, path, query, protocol } = this.#call;
    return {
      method,
      target: query === '' ? path : `${path}?${query}`,
      authority: this.#tunnels.authority,
      scheme: undefined,
      fields: appFields(this.#call, this.#deps),
      bodyBytes: 0,
      upgrade: protocol,
      expectsContinue: false,
    };
  }

  // The answer.

  answered(head: ResponseHead): void {
    const state = this.#state;
    if (state.kind !== 'asking') return;
    if (head.status === SWITCHING) {
      this.#switch(head, state.requester);
      return;
    }
    this.#held = [];
    this.#state = { ...state, kind: 'answering' };
    this.#reply.head({ status: head.status, headers: endToEnd(head.fields), bodyBytes: head.bodyBytes });
  }

  ended(trailers: Fields): void {
    const state = this.#state;
    if (state.kind === 'open') {
      this.#isReplyOver = true;
      if (this.#isRequestOver) this.#state = DONE;
      this.#reply.end(NO_HEADERS);
    } else if (state.kind === 'answering') {
      this.#state = DONE;
      this.#tunnels.leave(state.connection);
      this.#reply.end(trailers.length === 0 ? NO_HEADERS : endToEnd(trailers));
    }
  }

  lost(failure: WireFailure): void {
    const { kind } = this.#state;
    if (kind === 'connecting') this.#fail(unwritable(this.#call, failure.reason));
    else this.#fail(kind === 'open' ? tunnelBroke(this.#call, failure) : appBroke(this.#call, failure));
  }

  #switch({ fields }: ResponseHead, requester: Requester): void {
    const to = headerValue(fields, 'upgrade');
    if (to?.toLowerCase() !== this.#call.protocol) {
      this.#fail(switchedElsewhere(this.#call, excerpt(to ?? '')));
      return;
    }
    this.#state = { kind: 'open', requester };
    this.#reply.head({ status: SWITCHING, headers: endToEnd(fields), bodyBytes: undefined });
    this.#sendHeld(requester);
  }

  #sendHeld(requester: Requester): void {
    const held = this.#held;
    this.#held = [];
    let flow: Flow = 'ok';
    for (const chunk of held) flow = requester.data(chunk);
    if (this.#isRequestOver) requester.end(NO_HEADERS);
    else if (held.length > 0 && flow === 'ok') this.#reply.resume();
  }

  #fail(reason: Fault): void {
    if (this.#state.kind === 'done') return;
    this.#leave();
    this.#reply.abort(reason);
  }

  #leave(): void {
    const state = this.#state;
    this.#state = DONE;
    this.#held = [];
    if (state.kind === 'connecting') state.cancel();
    else if (state.kind !== 'done') state.requester.cancel(GIVEN_UP);
  }
}

/** Takes the app's answer, and its bytes of the tunnel. */
class Answer implements ResponseReceiver {
  readonly #tunnel: AppTunnel;
  readonly #reply: ReplyEnd;

  constructor(tunnel: AppTunnel, reply: ReplyEnd) {
    this.#tunnel = tunnel;
    this.#reply = reply;
  }

  /** For this hop alone. */
  informational(): void {}

  head(head: ResponseHead): void {
    this.#tunnel.answered(head);
  }

  data(chunk: Buffer): Flow {
    return this.#reply.data(chunk);
  }

  end(trailers: Fields): void {
    this.#tunnel.ended(trailers);
  }

  abort(failure: WireFailure): void {
    this.#tunnel.lost(failure);
  }

  resume(): void {
    this.#reply.resume();
  }

  cancel(failure: WireFailure): void {
    this.#tunnel.lost(failure);
  }
}
