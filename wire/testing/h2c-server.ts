// For tests: an HTTP/2 server without TLS that echoes, in this process or, run as a program, on a port of its own.
import { type AddressInfo, createServer, type Server } from 'node:net';
import { env, stdout } from 'node:process';
import { systemClock } from '../../kit/clock.ts';
import { type Http2ServerConnection, http2Server, type ServerOptions } from '../http2/server.ts';
import type { Fields, Flow, RequestHead, Responder, Serve, WireFailure } from '../message.ts';
import { socketLink } from '../socket-link.ts';

/** Answers 200 with what it gets, as it gets it, trailers included. */
export const echo: Serve = (head: RequestHead, responder: Responder) => {
  responder.head({
    status: 200,
    fields: ['content-type', 'text/plain', 'x-target', head.target],
    bodyBytes: undefined,
  });
  return {
    data: (chunk: Buffer): Flow => responder.data(chunk),
    end: (trailers: Fields) => responder.end(trailers),
    abort: (failure: WireFailure) => responder.abort(failure),
    resume: () => responder.resume(),
    cancel: (failure: WireFailure) => responder.cancel(failure),
  };
};

export interface H2cServer {
  readonly server: Server;
  readonly port: number;
  readonly connections: Set<Http2ServerConnection>;
  /** Why connections ended that have. */
  readonly ends: WireFailure[];
  close(): Promise<void>;
}

export async function h2cServer(
  serve: Serve = echo,
  options: Partial<ServerOptions> = {},
  port = 0,
): Promise<H2cServer> {
  const connections = new Set<Http2ServerConnection>();
  const ends: WireFailure[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const events = {
      closed: (failure: WireFailure) => {
        ends.push(failure);
        connections.delete(connection);
      },
    };
    const connection = http2Server(socketLink(socket), serve, events, { clock: systemClock, ...options });
    connections.add(connection);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const connection of connections) connection.destroy({ kind: 'closed', reason: 'the test is over' });
    });
  return { server, port: (server.address() as AddressInfo).port, connections, ends, close };
}

/** Says something to every request, a moment after its end: what h2spec wants to talk to. */
export const talk: Serve = (_head, responder) => {
  responder.head({ status: 200, fields: ['content-type', 'text/plain'], bodyBytes: undefined });
  return {
    data: () => 'ok',
    end: () => {
      systemClock.after(5, () => {
        responder.data(Buffer.from('Hello from the far side.'));
        responder.end([]);
      });
    },
    abort: () => undefined,
    resume: () => undefined,
    cancel: () => undefined,
  };
};

if (import.meta.main) {
  const { port } = await h2cServer(env.SERVE === 'talk' ? talk : echo, {}, Number(env.PORT ?? 0));
  stdout.write(`${port}\n`);
}
