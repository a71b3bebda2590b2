// For tests: our connections on real sockets.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { portOf } from '../../../kit/testing/ports.ts';
import type { RequestHead, RequestReceiver, Responder, Serve } from '../../message.ts';
import { AnswerFirstSocket, socketLink } from '../../socket-link.ts';
import { type Http1ClientConnection, http1Client } from '../client.ts';
import { http1Server } from '../server.ts';
import type { Http1ServerConnection } from '../server-options.ts';

export interface ListeningServer {
  readonly port: number;
  readonly connections: ReadonlySet<Http1ServerConnection>;
  /** Resolves when all has ended, which it does by itself. */
  close(): Promise<void>;
}

export async function listen(serve: Serve): Promise<ListeningServer> {
  const connections = new Set<Http1ServerConnection>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = http1Server(socketLink(socket), serve, {
      elapsedMs: () => 0,
      closed: () => connections.delete(connection),
    });
    connections.add(connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: portOf(server),
    connections,
    async close() {
      for (const connection of connections) connection.drain();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A connection to the port; `closed` resolves when it is gone. */
export async function dial(
  port: number,
): Promise<{ client: Http1ClientConnection; closed: Promise<void>; socket: Socket }> {
  const socket = new AnswerFirstSocket({ allowHalfOpen: true });
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  return { client: http1Client(socketLink(socket), { elapsedMs: () => 0, closed: resolve }), closed, socket };
}

/** Sends each body back as it comes, with the trailers; a tunnel too. */
export function echo(head: RequestHead, responder: Responder): RequestReceiver {
  const { method, target, upgrade, bodyBytes, expectsContinue } = head;
  if (expectsContinue) responder.informational(100, []);
  let hasHead = false;
  const answer = () => {
    if (hasHead) return;
    hasHead = true;
    const isTunnel = upgrade !== undefined || method === 'CONNECT';
    const status = upgrade !== undefined ? 101 : 200;
    const protocol = upgrade !== undefined ? ['upgrade', upgrade] : [];
    responder.head({ status, fields: ['x-target', target, ...protocol], bodyBytes: isTunnel ? undefined : bodyBytes });
  };
  if (upgrade !== undefined || method === 'CONNECT') queueMicrotask(answer);
  return {
    data(chunk) {
      answer();
      return responder.data(chunk);
    },
    end(trailers) {
      answer();
      responder.end(trailers);
    },
    resume: () => responder.resume(),
    abort: () => undefined,
    cancel: () => undefined,
  };
}
