// For tests: ports, taken and free, on the loopback address.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Where a server listens over TCP. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port');
  return address.port;
}

/** Listens and says nothing. */
export async function silentServer(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = await silentServer();
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}
