// For tests: one port that speaks HTTP/1.1 and HTTP/2.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { systemClock } from '../../kit/clock.ts';
import { portOf } from '../../kit/testing/ports.ts';
import { type HttpProtocol, type HttpServerConnection, type HttpServerOptions, httpServer } from '../http-server.ts';
import type { Serve, WireFailure } from '../message.ts';
import { socketLink } from '../socket-link.ts';

export interface UpgradingServer {
  readonly port: number;
  readonly connections: ReadonlySet<HttpServerConnection>;
  readonly offences: readonly (WireFailure & { readonly protocol: HttpProtocol })[];
  /** Resolves when all connections have ended, which they do by their clients. */
  close(): Promise<void>;
}

export async function upgradingServer(
  serve: Serve,
  options: Partial<HttpServerOptions> = {},
): Promise<UpgradingServer> {
  const connections = new Set<HttpServerConnection>();
  const offences: (WireFailure & { readonly protocol: HttpProtocol })[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = httpServer(socketLink(socket), serve, {
      clock: systemClock,
      http2: {},
      offence: (failure, protocol) => offences.push({ ...failure, protocol }),
      closed: () => connections.delete(connection),
      ...options,
    });
    connections.add(connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: portOf(server),
    connections,
    offences,
    async close() {
      server.close();
      await once(server, 'close');
    },
  };
}
