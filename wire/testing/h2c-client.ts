// For tests: calls over HTTP/2 without TLS.
import { once } from 'node:events';
import { connect } from 'node:net';
import { systemClock } from '../../kit/clock.ts';
import { type Http2ClientConnection, http2Client } from '../http2/client.ts';
import type { ConnectionOptions } from '../http2/connection.ts';
import type { RequestHead, WireFailure } from '../message.ts';
import { socketLink } from '../socket-link.ts';

export interface H2cClient {
  readonly connection: Http2ClientConnection;
  /** Settles when the connection is gone. */
  readonly closed: Promise<WireFailure>;
}

export async function h2cClient(port: number, options: Partial<ConnectionOptions> = {}): Promise<H2cClient> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  let close: (failure: WireFailure) => void = () => undefined;
  const closed = new Promise<WireFailure>((resolve) => {
    close = resolve;
  });
  const connection = http2Client(socketLink(socket), { closed: close }, { clock: systemClock, ...options });
  return { connection, closed };
}

export function request(over: Partial<RequestHead> = {}): RequestHead {
  return {
    method: 'GET',
    target: '/',
    authority: 'localhost',
    scheme: 'http',
    fields: [],
    bodyBytes: undefined,
    upgrade: undefined,
    expectsContinue: false,
    ...over,
  };
}
