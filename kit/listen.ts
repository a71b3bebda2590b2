// A server that is bound, and can be closed with everything that is open on it.
import type { AddressInfo, ListenOptions, Server, Socket } from 'node:net';
import { messageOf } from './errors.ts';
import { err, ok, type Result } from './result.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
}

export interface Listener {
  /** With the port that was bound. Undefined for a Unix socket. */
  readonly address: ListenAddress | undefined;
  /** Accepts no more, and breaks what is open. */
  close(): Promise<void>;
}

/** Takes a server that does not listen yet. Connections beyond `connectionsMax` are closed as they come. */
export async function listen(
  server: Server,
  where: ListenOptions,
  { connectionsMax }: { readonly connectionsMax: number },
): Promise<Result<Listener>> {
  const sockets = new Set<Socket>();
  server.maxConnections = connectionsMax;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  });
  try {
    await new Promise<void>((done, fail) => server.once('error', fail).listen(where, done));
  } catch (error) {
    return err(`cannot listen on ${where.path ?? `${where.host ?? '*'}:${where.port}`}: ${messageOf(error)}`);
  }
  return ok({
    address: addressOf(server.address()),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  });
}

function addressOf(address: AddressInfo | string | null): ListenAddress | undefined {
  return address === null || typeof address === 'string' ? undefined : { host: address.address, port: address.port };
}
