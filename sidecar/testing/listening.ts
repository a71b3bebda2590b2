// For tests: a server of the platform's, of whatever protocol, that listens until its test is over.
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { portOf } from '../../kit/testing/ports.ts';

/** Where it listens. What closes it, and its connections, goes into `closing`. */
export async function listenOn(server: Server, closing: (() => unknown)[], host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, host);
  await once(server, 'listening');
  closing.push(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  });
  return portOf(server);
}
